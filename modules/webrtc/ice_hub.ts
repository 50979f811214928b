/** Where STUN messages find the session they are meant for, and answers the question they belong to. */
import type { SocketAddress } from "../../core/mod.ts";
import { CHECK_PRIORITY } from "./candidates.ts";
import type { IcePath } from "./ice_path.ts";
import { bindingRequest, type IceRole, type MappedAddress, StunMessage, StunType } from "./stun.ts";

/** What a hub knows of a session. */
export interface IceAgent {
  /** Takes a check that names one of its user fragments. False: it is not authentic, and nothing was answered. */
  onCheck(message: StunMessage, ufrag: string, path: IcePath): boolean;
  /** Takes the answer to one of its checks. False: it is not authentic. */
  onCheckAnswer(message: StunMessage, path: IcePath, role: IceRole): boolean;
  /** Called four times a second. */
  tick(nowMs: number): void;
  /** Called twenty times a second while there are checks to send; false when there are none. */
  sendNextCheck(nowMs: number): boolean;
  /** One of the last two threw: it ends. */
  onFault(error: unknown): void;
}

/** What was dropped, and why. */
export interface IceCounters {
  /** STUN messages that cannot be read. */
  malformed: number;
  /** Checks that name no session. */
  unknownUser: number;
  /** Checks and answers whose proof is wrong. */
  unauthentic: number;
  /** Checks that came a second time from somewhere else. */
  replayed: number;
  /** STUN messages that were too many, not looked at. */
  limited: number;
  /** Other datagrams that came from nobody known. */
  stranger: number;
}

/** A question that waits for its answer. */
interface Question {
  readonly words: readonly [number, number, number];
  readonly askedMs: number;
  readonly agent: IceAgent | undefined;
  readonly role: IceRole;
  readonly onMapped: ((seen: MappedAddress) => void) | undefined;
  readonly from: SocketAddress;
}

const TICK_MS = 250;
const PACE_MS = 50;
const ANSWER_LIMIT_MS = 5000;
const MAX_QUESTIONS = 4096;

/** All sessions of the server by user fragment, one clock for all, and the questions that wait for an answer. */
export class IceHub implements Disposable {
  readonly counters: IceCounters = {
    malformed: 0,
    unknownUser: 0,
    unauthentic: 0,
    replayed: 0,
    limited: 0,
    stranger: 0,
  };
  readonly #agents = new Map<string, IceAgent>();
  readonly #alive = new Set<IceAgent>();
  readonly #checking = new Set<IceAgent>();
  readonly #questions = new Map<number, Question>();
  readonly #message = new StunMessage();
  #ticker: ReturnType<typeof setInterval> | undefined;
  #pacer: ReturnType<typeof setInterval> | undefined;

  /** Sessions that are open. */
  get size(): number {
    return this.#alive.size;
  }

  /** Has checks to a user fragment brought to an agent. */
  register(ufrag: string, agent: IceAgent): void {
    this.#agents.set(ufrag, agent);
    this.#alive.add(agent);
    this.#ticker ??= setInterval(() => {
      const nowMs = performance.now();
      for (const one of this.#alive) alone(one, () => one.tick(nowMs));
      this.#forgetOld(nowMs);
    }, TICK_MS);
  }

  unregister(ufrag: string): void {
    this.#agents.delete(ufrag);
  }

  /** Forgets an agent, which has taken back its user fragments. */
  remove(agent: IceAgent): void {
    this.#alive.delete(agent);
    this.#checking.delete(agent);
    this.#stopIdle();
  }

  /** Asks the agent for a check at once, and then at the pace of RFC 8445 §14 until it has none. */
  startChecks(agent: IceAgent): void {
    if (this.#checking.has(agent) || !agent.sendNextCheck(performance.now())) return;
    this.#checking.add(agent);
    this.#pacer ??= setInterval(() => {
      const nowMs = performance.now();
      for (const one of this.#checking) {
        if (!alone(one, () => one.sendNextCheck(nowMs))) this.#checking.delete(one);
      }
      this.#stopIdle();
    }, PACE_MS);
  }

  /** Takes a STUN message that came over a path. True: it was authentic. The bytes are lent. */
  receive(bytes: Uint8Array, path: IcePath): boolean {
    const message = this.#message;
    if (!message.read(bytes)) {
      this.counters.malformed++;
      return false;
    }
    switch (message.type) {
      case StunType.REQUEST:
        return this.#onRequest(message, path);
      case StunType.SUCCESS:
      case StunType.ERROR:
        return this.#onAnswer(message, path);
      default:
        // An indication keeps a NAT open and proves nothing.
        return false;
    }
  }

  #onRequest(message: StunMessage, path: IcePath): boolean {
    const ufrag = message.receiver;
    const agent = this.#agents.get(ufrag);
    if (!agent) {
      this.counters.unknownUser++;
      return false;
    }
    return agent.onCheck(message, ufrag, path);
  }

  #onAnswer(message: StunMessage, path: IcePath): boolean {
    const key = message.transactionWord(0);
    const question = this.#questions.get(key);
    const isOurs = question !== undefined && message.transactionWord(1) === question.words[1] &&
      message.transactionWord(2) === question.words[2] &&
      question.from.host === path.remote.host && question.from.port === path.remote.port;
    if (!isOurs) {
      this.counters.unauthentic++;
      return false;
    }
    if (question.agent) {
      if (!question.agent.onCheckAnswer(message, path, question.role)) return false;
      path.rttMs = performance.now() - question.askedMs;
      this.#questions.delete(key);
      return true;
    }
    this.#questions.delete(key);
    const seen = message.type === StunType.SUCCESS ? message.mappedAddress() : undefined;
    if (seen) question.onMapped?.(seen);
    return false;
  }

  /** Sends a check of an agent over a path. */
  check(
    agent: IceAgent,
    path: IcePath,
    check: { username: string; key: Uint8Array; role: IceRole; useCandidate: boolean },
  ): void {
    const transaction = this.#ask({ agent, role: check.role, onMapped: undefined, from: path.remote });
    if (transaction) path.send(bindingRequest({ transaction, check: { ...check, priority: CHECK_PRIORITY } }));
  }

  /** Asks the STUN server at the end of a path how it sees us. */
  askServer(path: IcePath, onMapped: (seen: MappedAddress) => void): void {
    const transaction = this.#ask({ agent: undefined, role: "controlled", onMapped, from: path.remote });
    if (transaction) path.send(bindingRequest({ transaction }));
  }

  #ask(question: Omit<Question, "words" | "askedMs">): Uint8Array | undefined {
    const askedMs = performance.now();
    if (this.#questions.size >= MAX_QUESTIONS) this.#forgetOld(askedMs);
    if (this.#questions.size >= MAX_QUESTIONS) return undefined;
    const words = crypto.getRandomValues(new Uint32Array(3));
    const transaction = new Uint8Array(12);
    const view = new DataView(transaction.buffer);
    words.forEach((word, i) => view.setUint32(i * 4, word));
    const [a = 0, b = 0, c = 0] = words;
    this.#questions.set(a, { ...question, words: [a, b, c], askedMs });
    return transaction;
  }

  // The oldest are first: a map keeps the order in which its entries came.
  #forgetOld(nowMs: number): void {
    for (const [key, { askedMs }] of this.#questions) {
      if (nowMs - askedMs < ANSWER_LIMIT_MS) return;
      this.#questions.delete(key);
    }
  }

  #stopIdle(): void {
    if (this.#checking.size === 0) {
      clearInterval(this.#pacer);
      this.#pacer = undefined;
    }
    if (this.#alive.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#alive.clear();
    this.#checking.clear();
    this.#agents.clear();
    this.#stopIdle();
  }
}

/** Has an agent take its turn; whatever that comes to, the others get theirs. */
function alone<T>(agent: IceAgent, turn: () => T): T | undefined {
  try {
    return turn();
  } catch (error) {
    agent.onFault(error);
    return undefined;
  }
}
