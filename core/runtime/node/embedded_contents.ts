/** Where a file is in the bundle. */
export interface EmbeddedFile {
  /** Its first byte, counted from the bundle's end. */
  readonly fromEnd: number;
  /** In the bundle: base64 of Brotli. */
  readonly packedBytes: number;
  /** As a file. */
  readonly bytes: number;
}

/** The files in the bundle by path; what makes the bundle writes this anew. */
export const contents: Readonly<Record<string, EmbeddedFile>> = {};
