/** An address as sockets of its own family know it: `::ffff:192.168.1.5` is `192.168.1.5`. */
export function plainHost(host: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host;
}
