import {
  type DebianRunFacts,
  debianFileNames,
  loadDebianTemplates,
  renderDebianAnswerFile,
} from '../answer-file/debian.ts';
import { InputError } from '../errors.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import { suggestName } from '../suggestion.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';
import { makePlanOptions } from './plan-flags.ts';
import { makeRecipeRequest, type RecipeFlagValues } from './recipe-flags.ts';

/** What only a running build knows, told as what it will be. */
const placeholders: DebianRunFacts = {
  seedUrl: 'http://10.0.2.2:PORT/TOKEN/seed',
  callbackUrl: 'http://10.0.2.2:PORT/TOKEN/callback',
  mirrorHost: '10.0.2.2:PORT',
  mirrorPath: '/TOKEN/debian',
  securityHost: '10.0.2.2:PORT',
  securityPath: '/TOKEN/debian-security',
  udebSuite: 'kvmimg',
  syslogHost: '10.0.2.2',
  syslogPort: 514,
  buildUserKey: 'PUBLIC-KEY-OF-THE-BUILD',
  hostKey: { privateKey: 'PRIVATE-HOST-KEY-OF-THE-BUILD', publicKey: 'PUBLIC-HOST-KEY-OF-THE-BUILD' },
};

export interface RenderFlags extends RecipeFlagValues {
  readonly file: string;
}

/** `kvmimg render`: the answer file on standard output, with placeholders for what changes from run to run. */
export async function renderAnswerFile(
  subject: string,
  flags: RenderFlags,
  context: CommandContext,
): Promise<CommandStatus> {
  const name = debianFileNames.find((candidate) => candidate === flags.file);
  if (name === undefined) {
    throw new InputError([
      { place: '--file', message: `there is no file ${flags.file}`, hint: suggestName(flags.file, debianFileNames) },
    ]);
  }
  const options = makePlanOptions({ accel: 'auto', output: '.', cache: true }, context);
  const request = makeRecipeRequest(subject, flags, context.cwd);
  const plan = await resolvePlan(request, options, { checksHost: false });
  const files = renderDebianAnswerFile(plan, placeholders, await loadDebianTemplates());
  context.output.print(files[name].trimEnd());
  return 0;
}
