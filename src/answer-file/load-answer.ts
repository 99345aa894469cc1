import { readFile } from 'node:fs/promises';
import { buildUserName, diskSerial, type Plan } from '../plan/plan.ts';
import { callbackUrl, type RunFacts, seedUrl } from './run-facts.ts';
import type { AnswerFiles } from './writer.ts';
import { writers } from './writers.ts';

/** What the guest is served, and what its kernel is told. */
export interface Answer {
  readonly files: AnswerFiles;
  readonly kernelArguments: readonly string[];
}

/**
 * The answer of a plan: the family's files from its templates, or the user's own file in the place of the first.
 *
 * @param machineArguments what the machine wants of the installer's kernel.
 * @throws KvmimgError `answer-file-value`; what reading a file throws.
 */
export async function loadAnswer(plan: Plan, run: RunFacts, machineArguments: readonly string[]): Promise<Answer> {
  const writer = writers[plan.distro.family];
  const facts = { ...run, repositoryKeys: await readRepositoryKeys(plan) };
  const files = writer.render(plan, facts, await writer.loadTemplates());
  const kernelArguments = writer.kernelArguments(plan, facts, machineArguments);
  const own = plan.recipe.answerFile;
  const [first] = writer.fileNames;
  if (own === undefined || first === undefined) return { files, kernelArguments };
  return { files: { ...files, [first]: fillOwnAnswer(await readSource(plan, own), facts) }, kernelArguments };
}

/**
 * The user's own answer file with what only a run knows put in. Other names in double braces stay: cloud-init has
 * templates of the same look.
 */
export function fillOwnAnswer(text: string, run: RunFacts): string {
  const values: Readonly<Record<string, string>> = {
    guestRoot: run.guestRoot,
    seedUrl: seedUrl(run),
    callbackUrl: callbackUrl(run),
    syslogPort: String(run.syslogPort),
    diskSerial,
    buildUser: buildUserName,
    buildUserKey: run.buildUserKey,
    hostPrivateKey: run.hostKey.privateKey.trimEnd(),
    hostPublicKey: run.hostKey.publicKey,
  };
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
}

async function readRepositoryKeys(plan: Plan): Promise<Readonly<Record<string, string>>> {
  const named = plan.recipe.repositories.flatMap(({ name, keySource }) => (keySource ? [{ name, keySource }] : []));
  return Object.fromEntries(
    await Promise.all(named.map(async ({ name, keySource }) => [name, await readSource(plan, keySource)] as const)),
  );
}

function readSource(plan: Plan, source: string): Promise<string> {
  const path = plan.sources.find((file) => file.source === source)?.path;
  if (path === undefined) throw new Error(`${source} was not read while planning.`);
  return readFile(path, 'utf8');
}
