/** Where something listens: the contract's form is `":8554"` or `"127.0.0.1:8554"`. */
export interface ListenAddress {
  /** `""`: every interface. */
  readonly host: string;
  readonly port: number;
}

/** Reads the contract's form of an address; throws a `TypeError` that says what is wrong with it. */
export function parseListenAddress(text: string): ListenAddress {
  const found = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(text.trim());
  const port = Number(found?.[3] ?? NaN);
  if (!found || !(port <= 65535)) {
    throw new TypeError(`Cannot read the address "${text}", write it like :8554 or 127.0.0.1:8554`);
  }
  return { host: found[1] ?? found[2] ?? "", port };
}
