/** A command line that can be pasted into a POSIX shell. */
export function quoteCommand(program: string, args: readonly string[]): string {
  return [program, ...args].map(quoteShellWord).join(' ');
}

/** One word for a POSIX shell, quoted only where it must be. */
export function quoteShellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
