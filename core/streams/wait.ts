import { StreamError } from "../util/errors.ts";
import type { Clock } from "./types.ts";

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, ms) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** What an aborted signal rejects with. */
export function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof StreamError
    ? signal.reason
    : new StreamError("CLOSED", "streams: the viewer left before the source answered");
}

/** Settles as the promise does, or rejects as soon as the signal aborts; what the promise does later is dropped. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Settles as the promise does; once the signal has aborted, resolves after `ms` more at the latest. */
export function orLate(promise: Promise<void>, signal: AbortSignal, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    let cancel: (() => void) | undefined;
    const onAbort = () => {
      cancel = clock.setTimer(resolve, ms);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
      cancel?.();
    });
  });
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function delay(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.setTimer(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** An error with a message in any case. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
