import { z } from 'zod';
import { spellTimeZone } from './time-zone.ts';

const timeZoneError = 'must be a time zone such as Etc/UTC';
const hostOrAddressError = 'must be a host name or an address';

export const line = z.string().regex(/^[^\p{Cc}]*$/u, 'must be one line without control characters');
export const httpUrl = line
  .regex(/^https?:\/\/[A-Za-z0-9.[\]:_-]+(\/[A-Za-z0-9._~%+:=/-]*)?$/, {
    error: 'must be a plain http:// or https:// URL, with no user name, password or query',
  })
  .refine((url) => URL.canParse(url), { error: 'must be a URL' })
  // One spelling for one place: what is appended starts with a slash.
  .overwrite((url) => url.replace(/\/+$/, ''));
/** What files are named after. */
export const imageName = line.regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
  'must be letters, digits, dot, _ and -, at most 100 characters',
);
/** As dpkg or rpm have it; that dpkg's are in lower case is a rule of the plan. */
export const packageName = line.regex(/^[A-Za-z0-9][A-Za-z0-9+._-]*$/, 'must be a package name');
export const userName = line.regex(
  /^[a-z_][a-z0-9_-]{0,30}$/,
  'must be a user name: a-z, 0-9, _ and -, at most 31 characters',
);
export const unitName = line.regex(/^[A-Za-z0-9@_.:\\-]+$/, 'must be the name of a systemd unit');
export const absolutePath = line.regex(/^(?!.*\/\.{0,2}(\/|$))\/.+$/, 'must be an absolute path of a file');
export const octalMode = z.string().regex(/^0?[0-7]{3,4}$/, 'must be an octal mode in quotes, such as "0644"');
export const hostName = line.regex(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  'must be a host name: a-z, 0-9 and -, at most 63 characters',
);
/** Whether it is a whole one is for a warning: placeholders have their use. */
export const sshKey = line.regex(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*( .*)?$/,
  'must be an SSH public key',
);
/** Of zoneinfo's spelling, which tells upper from lower case where Intl does not. */
export const timeZone = line
  .superRefine((name, { addIssue }) => {
    const spelled = spellTimeZone(name);
    if (spelled === name) return;
    const hint = spelled === undefined ? {} : { params: { hint: `Did you mean ${spelled}?` } };
    addIssue({ code: 'custom', message: timeZoneError, ...hint });
  })
  .regex(/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*)*$/, timeZoneError);
/** A host name of letters, digits, `-` and dots, or an address. */
export const hostOrAddress = line
  .regex(/^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/, hostOrAddressError)
  .refine((text) => !text.includes('..') && (!text.includes(':') || z.ipv6().safeParse(text).success), {
    error: hostOrAddressError,
  });
/** Only what reaches the kernel unchanged through GRUB's own shell: no quotes, `$`, `\`, `;`, `#` and the like. */
export const kernelArgument = line
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.,:=/@+%~!*^-]*$/, {
    error: 'must be one kernel argument of letters, digits and . , : = / @ + % ~ ! * ^ - _',
  })
  .max(500, 'must be at most 500 characters');

/** For a map of settings of which there must be exactly one. The issue names them in `params.oneOf`. */
export function exactlyOneOf(...names: readonly string[]) {
  return (value: Readonly<Record<string, unknown>>, { addIssue }: z.core.$RefinementCtx): void => {
    if (names.filter((name) => value[name] !== undefined).length === 1) return;
    const list = names.length === 2 ? names.join(' and ') : names.join(', ');
    addIssue({ code: 'custom', message: `must have exactly one of ${list}`, params: { oneOf: names } });
  };
}
