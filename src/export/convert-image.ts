import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, KvmimgError, type Problem } from '../errors.ts';
import type { Format } from '../recipe/schema.ts';
import { imageName } from '../recipe/values.ts';
import { findBuildRecord, imageStem, machineFactsOfBuild } from './build-record.ts';
import { findOutputProblems, findSpaceProblems } from './convert-checks.ts';
import { type ExportedImage, type ExportOptions, exportImages } from './export-images.ts';
import { describeAsInput, findSourceProblems, type ImageSource, openImage } from './image-source.ts';
import { type KnownFacts, machineFactsOfOva, makeMachineFacts } from './machine-facts.ts';

export interface ConvertRequest {
  /** A qcow2, raw, VMDK or OVA. */
  readonly source: string;
  readonly formats: readonly Format[];
  readonly outputDir: string;
  /** Name of the outputs without extension. Default: that of the source. */
  readonly name?: string;
  /** For the OVF descriptor; what is not given comes from the OVA or the build manifest beside the image. */
  readonly facts?: KnownFacts;
  /** Replace outputs that exist. */
  readonly force: boolean;
}

/**
 * Converts an existing image, after everything that can stand in the way was looked at.
 *
 * @throws InputError with every problem, before anything is written; KvmimgError as `exportImages`.
 */
export async function convertImage(request: ConvertRequest, options: ExportOptions = {}): Promise<ExportedImage[]> {
  const name = request.name ?? outputName(request.source);
  const formats = [...new Set(request.formats)];
  const outputs = formats.map((format) => ({ format, path: join(request.outputDir, `${name}.${format}`) }));
  const opened = await openSource(request.source, options);
  const source = 'problems' in opened ? undefined : opened;
  const problems = [
    ...findNameProblems(request.name),
    ...('problems' in opened ? opened.problems : []),
    ...(await findOutputProblems({ ...request, outputs, source })),
    ...(source ? await findSpaceProblems({ ...request, formats, source }) : []),
  ];
  if (problems.length > 0 || !source) throw new InputError(problems);
  await mkdir(request.outputDir, { recursive: true });
  const facts = makeMachineFacts({ title: name }, await findKnownFacts(source), request.facts ?? {});
  return exportImages({ source: source.disk, outputs, facts }, options);
}

function findNameProblems(name: string | undefined): Problem[] {
  const { error } = imageName.optional().safeParse(name);
  return (error?.issues ?? []).map(({ message }) => ({ place: '--name', message }));
}

/** Characters that a file name in an OVA had better not have become dashes. */
function outputName(path: string): string {
  const name = imageStem(path)
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 95);
  return name || 'image';
}

/** What is wrong with the source is told together with everything else that is wrong. */
async function openSource(
  path: string,
  options: ExportOptions,
): Promise<ImageSource | { readonly problems: Problem[] }> {
  const onProgress = (): void => options.onProgress?.(0, `reading ${path}`);
  const work = { ...(options.signal ? { signal: options.signal } : {}), onProgress };
  try {
    const source = await openImage(path, work);
    const problems = await findSourceProblems(source, work);
    const hint = 'Fetch or make it again.';
    return problems.length === 0 ? source : { problems: problems.map((message) => ({ place: path, message, hint })) };
  } catch (error) {
    if (!(error instanceof KvmimgError) || error.exitStatus !== 1 || error.code === 'program-missing') throw error;
    return { problems: [describeAsInput(path, error)] };
  }
}

async function findKnownFacts({ path, ova }: ImageSource): Promise<KnownFacts> {
  if (ova) return machineFactsOfOva(ova.descriptor);
  const record = await findBuildRecord(path);
  return record ? machineFactsOfBuild(record) : {};
}
