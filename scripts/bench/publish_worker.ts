/** The cameras, in a thread of their own so that viewers do not delay them. */
import { Camera, type CameraOptions } from "./camera.ts";
import type { Target } from "./dialog.ts";
import { answerCalls } from "./remote.ts";

/** What the thread of cameras can be asked. */
export type PublishCalls = typeof calls;

interface Place {
  readonly target: Target;
  readonly options: CameraOptions;
  camera: Camera;
  dueMs: number;
}

const places: Place[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
const failures: string[] = [];

const calls = {
  /** Starts a camera for each target; their pictures are due at different moments. */
  async start(targets: readonly Target[], options: CameraOptions): Promise<void> {
    const periodMs = 1000 / options.fps;
    const startMs = performance.now();
    for (const [i, target] of targets.entries()) {
      const camera = await Camera.open(target, options, (error) => failures.push(error.message));
      places.push({ target, options, camera, dueMs: startMs + i * periodMs / targets.length });
      timer ??= setTimeout(tick, 0);
    }
  },

  /** Cuts off one camera and starts it anew after a while. */
  async restart(index: number, afterMs: number): Promise<void> {
    const place = places[index % places.length]!;
    place.camera.close();
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    place.camera = await Camera.open(place.target, place.options, (error) => failures.push(error.message));
  },

  /** What the server has done to cameras since the last call. */
  failures(): string[] {
    return failures.splice(0);
  },
};

// What is due goes out; a camera that was late in the past is not made up for in one burst.
function tick(): void {
  const nowMs = performance.now();
  let nextMs = Infinity;
  for (const place of places) {
    const periodMs = 1000 / place.options.fps;
    if (place.dueMs <= nowMs) {
      place.camera.send();
      place.dueMs += periodMs;
      if (place.dueMs < nowMs - 1000) place.dueMs = nowMs + periodMs;
    }
    nextMs = Math.min(nextMs, place.dueMs);
  }
  timer = setTimeout(tick, Math.max(0, nextMs - performance.now()));
}

answerCalls(calls);
