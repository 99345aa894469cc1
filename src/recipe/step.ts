import { type Step, type StepKind, stepKinds } from './schema.ts';

/** The kind of a step, which has exactly one. */
export function stepKindOf(step: Step): StepKind {
  const kind = stepKinds.find((candidate) => step[candidate] !== undefined);
  if (kind === undefined) throw new Error('A provision step of no kind passed the schema.');
  return kind;
}

/** What a step does, for progress and errors: `packages curl, jq`. */
export function describeStep(step: Step): string {
  switch (stepKindOf(step)) {
    case 'packages':
      return `packages ${step.packages?.join(', ')}`;
    case 'files':
      return `files ${step.files?.map((file) => file.path).join(', ')}`;
    case 'sysctls':
      return `sysctls ${Object.keys(step.sysctls ?? {}).join(', ')}`;
    case 'services':
      return 'services';
    case 'scripts':
      return `scripts ${step.scripts?.map(scriptTitle).join(', ')}`;
  }
}

type Script = NonNullable<Step['scripts']>[number];

/** What progress and errors call a script. */
export function scriptTitle(script: Script): string {
  return script.name ?? script.source ?? (script.run ?? '').trim().split('\n')[0]?.slice(0, 60) ?? '';
}
