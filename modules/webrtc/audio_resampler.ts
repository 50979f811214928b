/**
 * Changes the rate of 16-bit samples and mixes their channels to one. Downwards it averages what falls into a sample,
 * upwards it draws a line between two. Keeps what is left over for the next call.
 */
export class Resampler {
  readonly #from: number;
  readonly #to: number;
  readonly #channels: number;
  // Downwards: the sum for the sample to come, and how much of it is there, in parts of which each takes `from`.
  #sum = 0;
  #filled = 0;
  // Upwards: the sample before, and how far behind it the next one to make is, in parts of `to`.
  #before = 0;
  #position = 0;

  constructor(from: number, to: number, channels: number) {
    this.#from = from;
    this.#to = to;
    this.#channels = Math.max(1, channels);
  }

  /** The samples that can be made by now. */
  push(samples: Int16Array): Int16Array {
    const mono = this.#channels === 1 ? samples : this.#mix(samples);
    if (this.#from === this.#to) return mono;
    return this.#from > this.#to ? this.#reduce(mono) : this.#extend(mono);
  }

  #mix(samples: Int16Array): Int16Array {
    const channels = this.#channels;
    const mono = new Int16Array(Math.floor(samples.length / channels));
    for (let i = 0, at = 0; i < mono.length; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += samples[at++]!;
      mono[i] = Math.round(sum / channels);
    }
    return mono;
  }

  #reduce(samples: Int16Array): Int16Array {
    const from = this.#from;
    const to = this.#to;
    const made = new Int16Array(Math.floor((samples.length * to + this.#filled) / from));
    let count = 0;
    for (const sample of samples) {
      const need = from - this.#filled;
      if (need > to) {
        this.#sum += sample * to;
        this.#filled += to;
        continue;
      }
      made[count++] = Math.round((this.#sum + sample * need) / from);
      this.#sum = sample * (to - need);
      this.#filled = to - need;
    }
    return made;
  }

  #extend(samples: Int16Array): Int16Array {
    const from = this.#from;
    const to = this.#to;
    const made = new Int16Array(Math.ceil((samples.length * to - this.#position) / from));
    let count = 0;
    for (const sample of samples) {
      for (; this.#position < to; this.#position += from) {
        made[count++] = this.#before + Math.round((sample - this.#before) * this.#position / to);
      }
      this.#position -= to;
      this.#before = sample;
    }
    return made;
  }
}
