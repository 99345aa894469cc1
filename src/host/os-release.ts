/** What the host runs. */
export interface OperatingSystem {
  readonly platform: NodeJS.Platform;
  /** `ID` of os-release(5), such as `debian`; `macos` on a Mac. */
  readonly id: string;
  readonly idLike: readonly string[];
  /** `VERSION_ID`; empty where there is none (Arch Linux, Debian sid). */
  readonly version: string;
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly title: string;
}

/** The operating system that an os-release file describes; absent fields become what os-release(5) says. */
export function parseOsRelease(text: string, platform: NodeJS.Platform): OperatingSystem {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(.*)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1], unquote(match[2]));
  }
  return {
    platform,
    id: fields.get('ID') ?? 'linux',
    idLike: (fields.get('ID_LIKE') ?? '').split(' ').filter((word) => word !== ''),
    version: fields.get('VERSION_ID') ?? '',
    title: fields.get('PRETTY_NAME') ?? 'Linux',
  };
}

/** Values are shell words: bare, in double quotes with backslash escapes, or in single quotes. */
function unquote(value: string): string {
  if (/^'.*'$/.test(value)) return value.slice(1, -1);
  return (/^".*"$/.test(value) ? value.slice(1, -1) : value).replace(/\\(.)/g, '$1');
}
