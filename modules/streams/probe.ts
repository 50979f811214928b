import type { ConnectionInfo, Consumer, Media } from "../../core/mod.ts";

/** A consumer that takes nothing: it makes the stream dial its sources and negotiate (contract §3.5). */
export class Probe implements Consumer {
  readonly info: ConnectionInfo;
  readonly medias: readonly Media[];

  constructor(medias: readonly Media[], remoteAddr: string, userAgent: string) {
    this.medias = medias;
    this.info = { formatName: "probe", protocol: "http", remoteAddr, userAgent };
  }
  close(): void {}
}
