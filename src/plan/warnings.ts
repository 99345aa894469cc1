import type { Recipe } from '../recipe/schema.ts';
import { isWholeSshKey } from '../recipe/ssh-key.ts';

/** What a plan can do without, and its user would want to know before the build: a sentence each. */
export function findWarnings({ users }: Pick<Recipe, 'users'>): readonly string[] {
  return users.flatMap(({ name, sshKeys }, user) =>
    sshKeys.flatMap((key, index) =>
      isWholeSshKey(key)
        ? []
        : [`users[${user}].sshKeys[${index}] is no whole public key of a known type: ${name} cannot log in by it.`],
    ),
  );
}
