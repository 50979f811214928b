/** The systemd unit of a service that runs under Node, which cannot tell systemd that it is ready. */
export function unitForNode(unit: string): string {
  const changed = unit
    .replace(/^# Ready when the HTTP port answers; /m, "# ")
    .replace(/^Type=notify$/m, "Type=exec");
  if (!changed.includes("\nType=exec\n")) throw new Error('The unit has no line "Type=notify"');
  return changed;
}
