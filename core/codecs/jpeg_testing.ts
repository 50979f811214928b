/** Small JPEGs of ffmpeg for tests, in parts. */
import { STANDARD_HUFFMAN_TABLES } from "./jpeg_tables.ts";
import { hex } from "./testing.ts";
import { toHex } from "./text.ts";

const JFIF = "ffe000104a46494600010200000100010000";
const HUFFMAN = "ffc401a2" + toHex(STANDARD_HUFFMAN_TABLES);

/** 23x13, 4:2:0, the usual Huffman tables. */
export const SMALL = {
  jfif: JFIF,
  quantTable:
    "ffdb0043000828282f282f373737373737413c414343434141414143434348484855555548484843434848505055555c5f5c575755575f5f646464787873738c8c91acaccf",
  huffman: HUFFMAN,
  frame: "ffc0001108000d001703012200021100031100",
  scan: "ffda000c03010002110311003f00e08d523539aa46bd7a513f46ab220351d34d455f4f38eabd0f998ced7f53ffd9",
};
export const SMALL_BYTES: Uint8Array = hex(
  "ffd8" + JFIF + SMALL.quantTable + HUFFMAN + SMALL.frame + SMALL.scan,
);

/** The same picture with Huffman tables of its own. */
export const SMALL_OWN_TABLES: Uint8Array = hex(
  "ffd8" + JFIF + SMALL.quantTable +
    "ffc4005600010101010000000000000000000000000304020601010101000000000000000000000000000605071001010000000000000000" +
    "0000000000000001110002030101000000000000000000000000021103710121" +
    SMALL.frame +
    "ffda000c03010002110311003f00e0aa2a7a8aabd4a68d6b0146cd113bafbcc0cabc4e9fffd9",
);

/** 64x32 with a restart marker behind each row of MCUs. */
export const RESTARTED = {
  head: "ffd8" + JFIF +
    "ffdb004300083e3e493e49555555555555645d6468686864646464686868707070838383707070686870707c7c83838f938f878783879393" +
    "9b9b9bbabab2b2d9d9e0ffffffffdd00040004",
  huffman: HUFFMAN,
  tail:
    "ffc00011080020004003012200021100031100ffda000c03010002110311003f00f2ef989c0ad2532038fc7b74f5cf4a947f18eb9dbc7ae3" +
    "ad6df1b36e39ebb7db39c7e5f8d799526e5d3f5dcfa6947492bff4999fe648a7aff2ad7134a7bfe83fc2b1cff00e8467f0c9e2ac8fe21d4f" +
    "f3c1e6bc06976478118a5a2feb4385dad9c7b67b631eb9e9538dc9fe45765c6cdb8e7aedef8ce71f97e359078d83a11938f4c9e335f74aac" +
    "9f7fbff1dcf4946daafebc88d5df3c1fe55bdbe5ce33efdab317f8c75271f8e0f38ae838dbb71cf5dbed9ce3f2ae094ddffafbce19c14ddd" +
    "eba75fc8ffd0f206eb510a95bad442bcee87bb53ed7afea5e157aa88abd5cacf9b89c755a1556ad0afb83a96e5e1576a90abb5c0714f73ff" +
    "d9",
};
