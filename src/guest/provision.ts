import { type Evidence, KvmimgError } from '../errors.ts';
import { formatSeconds } from '../recipe/quantities.ts';
import type { Recipe } from '../recipe/schema.ts';
import {
  describeStep,
  type GuestAction,
  makeActions,
  makeUserActions,
  mergeSysctls,
  type Sources,
} from './elements.ts';
import type { SshSession } from './ssh-session.ts';

export interface ProvisionOptions {
  readonly signal: AbortSignal;
  readonly onActivity: (activity: string, fraction: number) => void;
}

const keptLines = 30;
const guestFolder = '/var/tmp/kvmimg';

/**
 * Makes the users of a recipe and applies its steps in order, each within its own time limit.
 *
 * @throws KvmimgError `provision-failed` or `provision-timeout`, naming the step, with the last lines of its output.
 */
export async function provision(
  guest: SshSession,
  recipe: Recipe,
  sources: Sources,
  options: ProvisionOptions,
): Promise<void> {
  for (const action of makeUserActions(recipe.users)) {
    options.onActivity(action.title, 0);
    await applyAction(guest, action, { signal: options.signal, onLine: () => {} });
  }
  for (const [index, step] of recipe.provision.entries()) {
    const title = `provision[${index}] (${describeStep(step)})`;
    const actions = makeActions(step, sources, mergeSysctls(recipe.provision.slice(0, index)));
    const limit = AbortSignal.timeout(step.timeout);
    const output: string[] = [];
    const onLine = (line: string): void => {
      output.push(line);
      if (output.length > keptLines) output.shift();
      options.onActivity(`${title}: ${line.trim().slice(0, 80)}`, index / recipe.provision.length);
    };
    for (const action of actions) {
      options.onActivity(`${title}: ${action.title}`, index / recipe.provision.length);
      try {
        await applyAction(guest, action, { signal: AbortSignal.any([options.signal, limit]), onLine });
      } catch (cause) {
        options.signal.throwIfAborted();
        const lastLines: Evidence = { title: 'Its last lines', lines: output };
        if (limit.aborted) throw timedOut(title, action, step.timeout, lastLines);
        throw failed(title, action, cause, lastLines);
      }
    }
  }
}

async function applyAction(
  guest: SshSession,
  action: GuestAction,
  options: { readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<void> {
  switch (action.kind) {
    case 'write':
      return guest.writeFile(action.file, options.signal);
    case 'command':
      await guest.runAsRoot(action.words, options);
      return;
    case 'script':
      return runScript(guest, action.text, options);
  }
}

async function runScript(
  guest: SshSession,
  text: string,
  options: { readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<void> {
  const path = `${guestFolder}/script`;
  const content = text.startsWith('#!') ? text : `#!/bin/sh -e\n${text}`;
  await guest.writeFile({ path, content, mode: '0700', owner: 'root:root' }, options.signal);
  await guest.runAsRoot([path], options);
  await guest.runAsRoot(['rm', '-rf', guestFolder], { signal: options.signal });
}

function failed(title: string, action: GuestAction, cause: unknown, lastLines: Evidence): KvmimgError {
  if (cause instanceof KvmimgError && cause.code !== 'program-failed') return cause;
  const exitCode = /exit code (\d+)/.exec(cause instanceof Error ? cause.message : '')?.[1];
  return new KvmimgError({
    code: 'provision-failed',
    message: `${title}: ${action.title} failed in the guest${exitCode ? ` with exit code ${exitCode}` : ''}.`,
    hint: 'Correct the step in the recipe and build again.',
    evidence: [lastLines],
    cause,
  });
}

function timedOut(title: string, action: GuestAction, timeoutMs: number, lastLines: Evidence): KvmimgError {
  return new KvmimgError({
    code: 'provision-timeout',
    message: `${title}: ${action.title} had not ended after ${formatSeconds(timeoutMs / 1000)}.`,
    hint: 'Give the step a longer `timeout`, or find out what it waits for.',
    evidence: [lastLines],
  });
}
