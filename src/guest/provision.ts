import { type Evidence, KvmimgError } from '../errors.ts';
import type { ProvisionPart } from '../plan/plan.ts';
import { formatSeconds } from '../recipe/quantities.ts';
import type { Recipe } from '../recipe/schema.ts';
import {
  type ElementContext,
  type GuestAction,
  makeActions,
  makeGroupActions,
  makeUserActions,
  mergeSysctls,
} from './elements.ts';
import type { SshSession } from './ssh-session.ts';

export interface ProvisionOptions {
  readonly signal: AbortSignal;
  readonly onActivity: (activity: string) => void;
}

const keptLines = 30;
const usersLimitMs = 10 * 60_000;
const guestFolder = '/var/tmp/kvmimg';

/**
 * Does one part of provisioning within its own time limit: makes the users, applies a step, puts users into groups.
 *
 * @throws KvmimgError `provision-failed` or `provision-timeout`, naming the step, with the last lines of its output.
 */
export function provisionPart(
  guest: SshSession,
  { part, title }: { readonly part: ProvisionPart; readonly title: string },
  inputs: ElementContext & { readonly recipe: Recipe },
  options: ProvisionOptions,
): Promise<void> {
  return runTask(guest, { title, ...makeWork(part, inputs.recipe, inputs) }, options);
}

function makeWork(part: ProvisionPart, { users, provision }: Recipe, context: ElementContext): Omit<Task, 'title'> {
  if (part.kind === 'users') return { actions: makeUserActions(users), limitMs: usersLimitMs };
  if (part.kind === 'groups') return { actions: makeGroupActions(users), limitMs: usersLimitMs };
  const step = provision[part.index];
  if (step === undefined) throw new Error(`The recipe has no provision step ${part.index}.`);
  return {
    actions: makeActions(step, context, mergeSysctls(provision.slice(0, part.index))),
    limitMs: step.timeout,
  };
}

/** Actions that share a name in the recipe and a time limit. */
interface Task {
  readonly title: string;
  readonly actions: readonly GuestAction[];
  readonly limitMs: number;
}

async function runTask(
  guest: SshSession,
  { title, actions, limitMs }: Task,
  { signal, onActivity }: ProvisionOptions,
): Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  const output: string[] = [];
  const onLine = (line: string): void => {
    output.push(line);
    if (output.length > keptLines) output.shift();
    onActivity(`${title}: ${line.trim().slice(0, 80)}`);
  };
  for (const action of actions) {
    onActivity(`${title}: ${action.title}`);
    try {
      await applyAction(guest, action, { signal: AbortSignal.any([signal, limit]), onLine });
    } catch (cause) {
      signal.throwIfAborted();
      const lastLines: Evidence = { title: 'Its last lines', lines: output };
      if (limit.aborted) throw timedOut(title, action, limitMs, lastLines);
      throw failed(title, action, cause, lastLines);
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
