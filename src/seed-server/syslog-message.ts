/** A line of the guest's log, as RFC 3164 has it: `<PRI>Nov 23 06:20:48 TAG[PID]: TEXT`. */
export interface SyslogMessage {
  /** In the guest's own words and clock: `Nov 23 06:20:48`. */
  readonly timestamp: string | undefined;
  /** The program: `main-menu`, `anna`, `kernel`. */
  readonly tag: string | undefined;
  readonly text: string;
}

const maxPriority = 191;

/**
 * Parses a datagram, whatever it holds. busybox's syslogd leaves the host name out when it forwards; other senders put
 * it in, and a tag ends with a colon, so that the word before it is the tag.
 */
export function parseSyslogMessage(datagram: string): SyslogMessage {
  const line = makePrintable(datagram);
  const priority = /^<(\d{1,3})>/.exec(line);
  const afterPriority = priority && Number(priority[1]) <= maxPriority ? line.slice(priority[0].length) : line;
  const timestamp = /^([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}) /.exec(afterPriority)?.[1];
  const rest = timestamp === undefined ? afterPriority : afterPriority.slice(timestamp.length + 1);
  const tagged = /^(?:[\w.-]+ )?([\w./-]+)(?:\[\d+\])?: ?(.*)$/s.exec(rest);
  return {
    timestamp,
    tag: tagged?.[1],
    text: tagged?.[2] ?? rest,
  };
}

/** Control characters, escape sequences among them, must not reach a terminal. */
function makePrintable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\u0000-\u0008\u000a-\u001f\u007f]+/g, ' ')
      .trimEnd()
  );
}
