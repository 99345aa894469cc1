import { readFile } from 'node:fs/promises';
import { InputError } from '../errors.ts';
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
 * @throws InputError for names in a user's own file that nothing is known for; KvmimgError `answer-file-value`; what
 *   reading a file throws.
 */
export async function loadAnswer(plan: Plan, run: RunFacts, machineArguments: readonly string[]): Promise<Answer> {
  const writer = writers[plan.distro.family];
  const facts = { ...run, repositoryKeys: await readRepositoryKeys(plan) };
  const files = writer.render(plan, facts, await writer.loadTemplates());
  const kernelArguments = writer.kernelArguments(plan, facts, machineArguments);
  const own = plan.recipe.answerFile;
  const [first] = writer.fileNames;
  if (own === undefined || first === undefined) return { files, kernelArguments };
  const text = await readOwnAnswer(plan, own);
  return { files: { ...files, [first]: fillOwnAnswer(text, facts) }, kernelArguments };
}

/**
 * What a user's own answer file is likely to lack, a sentence each.
 *
 * @throws InputError for names in it that nothing is known for.
 */
export async function findOwnAnswerWarnings(plan: Plan): Promise<readonly string[]> {
  const own = plan.recipe.answerFile;
  if (own === undefined) return [];
  const names = namesIn(await readOwnAnswer(plan, own));
  // Late scripts of the seed make the build's user as well.
  if (['buildUserKey', 'seedUrl', 'guestRoot'].some((name) => names.includes(name))) return [];
  return [
    `${own} has neither {{buildUserKey}} nor {{seedUrl}}: without the build's user and its key the build cannot go on after the install.`,
  ];
}

/** @throws InputError */
async function readOwnAnswer(plan: Plan, source: string): Promise<string> {
  const text = await readSource(plan, source);
  const templates = await writers[plan.distro.family].loadTemplates();
  checkOwnNames(text, { source, known: namesIn(Object.values(templates).join('\n')) });
  return text;
}

/** What is put into a user's own answer file as it is: none of it needs quotes in any of the formats. */
const ownAnswerValues = {
  guestRoot: (run: RunFacts) => run.guestRoot,
  seedUrl,
  callbackUrl,
  syslogPort: (run: RunFacts) => String(run.syslogPort),
  diskSerial: () => diskSerial,
  buildUser: () => buildUserName,
  buildUserKey: (run: RunFacts) => run.buildUserKey,
  hostPublicKey: (run: RunFacts) => run.hostKey.publicKey,
  hostPrivateKeyBase64: (run: RunFacts) => Buffer.from(run.hostKey.privateKey).toString('base64'),
} as const;
const ownAnswerNames = Object.keys(ownAnswerValues) as (keyof typeof ownAnswerValues)[];

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name);
}

/** A copy of kvmimg's template asks for more than a user's own file gets; it would be served with the braces in it. */
function checkOwnNames(
  text: string,
  { source, known }: { readonly source: string; readonly known: readonly string[] },
): void {
  const unfilled = namesIn(text).filter((name) => known.includes(name) && !(name in ownAnswerValues));
  if (unfilled.length === 0) return;
  const message = `nothing is filled in for {{${[...new Set(unfilled)].join('}}, {{')}}}`;
  const hint = `Filled in are ${ownAnswerNames.join(', ')}. To change kvmimg's template, copy its folder and name it by KVMIMG_TEMPLATES_DIR.`;
  throw new InputError([{ place: source, message, hint }]);
}

/**
 * The user's own answer file with what only a run knows put in. Other names in double braces stay: cloud-init has
 * templates of the same look.
 */
export function fillOwnAnswer(text: string, run: RunFacts): string {
  const values: Readonly<Record<string, string>> = Object.fromEntries(
    ownAnswerNames.map((name) => [name, ownAnswerValues[name](run)]),
  );
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
