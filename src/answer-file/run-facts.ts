import type { Recipe } from '../recipe/schema.ts';

/**
 * What a run of the build knows and the plan does not: where the guest reaches it, and the build's keys. Everything that
 * kvmimg serves is below `guestRoot`: `/seed/<file>`, `/callback/<point>`, `/<upstream>/...` (see upstreamsOf).
 */
export interface RunFacts {
  /** `http://10.0.2.2:PORT/TOKEN`, without a final slash. */
  readonly guestRoot: string;
  /** UDP port of the syslog receiver, on the host of `guestRoot`. */
  readonly syslogPort: number;
  /** OpenSSH public key of the build's user: `ssh-ed25519 AAAA...`. */
  readonly buildUserKey: string;
  /** The guest's host key while it is built, so that the first connection is verified. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  /** Label of the ISO in the guest's drive; of the distro's own ISO the plan says it too. */
  readonly isoVolumeId?: string;
  /** Armoured OpenPGP keys that the recipe names by file, by the name of the repository. */
  readonly repositoryKeys?: Readonly<Record<string, string>>;
}

/** The armoured key that signs a repository of the recipe. */
export function keyOfRepository({ name, key }: Recipe['repositories'][number], run: RunFacts): string {
  const found = key ?? run.repositoryKeys?.[name];
  if (found === undefined) throw new Error(`The key of the repository ${name} was not read.`);
  return found;
}

/** The files of the answer are served under it. No final slash. */
export function seedUrl(run: RunFacts): string {
  return `${run.guestRoot}/seed`;
}

/** `<callbackUrl>/early` and so on are requested at the points of an install. No final slash. */
export function callbackUrl(run: RunFacts): string {
  return `${run.guestRoot}/callback`;
}

/** Name or address by which the guest reaches this host. */
export function hostOf(run: RunFacts): string {
  return run.guestRoot.replace(/^http:\/\//, '').replace(/[:/].*$/, '');
}
