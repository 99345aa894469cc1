import { loadAnswer } from '../answer-file/load-answer.ts';
import type { RunFacts } from '../answer-file/run-facts.ts';
import { writers } from '../answer-file/writers.ts';
import { InputError } from '../errors.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import { suggestName } from '../suggestion.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions } from './plan-flags.ts';
import { makeRecipeRequest, type RecipeFlagValues } from './recipe-flags.ts';

/** What only a running build knows, told as what it will be. */
const placeholders: RunFacts = {
  guestRoot: 'http://10.0.2.2:PORT/TOKEN',
  syslogPort: 514,
  buildUserKey: 'PUBLIC-KEY-OF-THE-BUILD',
  hostKey: { privateKey: 'PRIVATE-HOST-KEY-OF-THE-BUILD', publicKey: 'PUBLIC-HOST-KEY-OF-THE-BUILD' },
};

export interface RenderFlags extends RecipeFlagValues {
  readonly file?: string;
}

/** `kvmimg render`: the answer file on standard output, with placeholders for what changes from run to run. */
export async function renderAnswerFile(
  subject: string,
  flags: RenderFlags,
  context: CommandContext,
): Promise<CommandStatus> {
  const options = makePlanOptions({ accel: 'auto', output: '.', cache: true }, context);
  const request = makeRecipeRequest(subject, flags, context);
  const plan = await resolvePlan(request, options, { checksHost: false });
  const { fileNames } = writers[plan.distro.family];
  const name = flags.file ?? fileNames[0] ?? '';
  if (!fileNames.includes(name)) {
    throw new InputError([
      { place: '--file', message: `there is no file ${name}`, hint: suggestName(name, fileNames) },
    ]);
  }
  const { files } = await loadAnswer(plan, placeholders, []);
  context.output.print((files[name] ?? '').trimEnd());
  return 0;
}
