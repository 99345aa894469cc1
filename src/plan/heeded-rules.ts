import type { Distro } from '../distro/schema.ts';
import type { Problem } from '../errors.ts';
import type { PlanInputs } from './make-plan.ts';
import type { PlaceFacts } from './plan-facts.ts';
import { planMedia } from './planned-media.ts';

/** Settings that only families with apt know. Nothing that is said may go unheeded. */
export function checkHeeded({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  if (distro.family === 'debian' || distro.family === 'ubuntu') return [];
  const mirrors = (['securityMirror', 'imageSecurityMirror'] as const).filter((name) => recipe[name] !== undefined);
  const ofApt = recipe.repositories.flatMap(({ suite, components }, index) => [
    ...(suite === undefined ? [] : [['repositories', index, 'suite']]),
    ...(components.join() === 'main' ? [] : [['repositories', index, 'components']]),
  ]);
  return [
    ...mirrors.map((name) => ({
      place: placeOf([name]),
      message: `${distro.title} has no mirror of its own for security updates`,
      hint: 'Say `mirror` and `imageMirror`.',
    })),
    ...ofApt.map((path) => ({
      place: placeOf(path),
      message: `is of apt repositories, and those of ${distro.title} are rpm-md`,
      hint: 'Its `url` alone says where it is.',
    })),
  ];
}

/** The digest that an ISO must have: there must be one, and a file of the user's is read already. */
export function checkIsoDigest(inputs: PlanInputs): Problem[] {
  const { recipe, distro, sources, placeOf } = inputs;
  const { iso, sha256 } = recipe.installer;
  if (sha256 === undefined) return [];
  const place = placeOf(['installer', 'sha256']);
  if (planMedia(inputs)?.kind !== 'iso') {
    // That an ISO is named is told by another rule.
    return iso !== undefined
      ? []
      : [{ place, message: `is of an ISO, and ${distro.title} is not installed from one here` }];
  }
  const file = sources.find(({ source }) => source === iso);
  if (file === undefined || file.sha256 === sha256) return [];
  return [
    { place, message: `${file.path} has the SHA-256 ${file.sha256}, not ${sha256}`, hint: 'Fetch the ISO again.' },
  ];
}

/** A misspelt folder would mean a download where there may be no network. */
export function checkMediaDirs({ facts }: { readonly facts: Pick<PlaceFacts, 'missingMediaDirs'> }): Problem[] {
  return facts.missingMediaDirs.map((dir) => ({ place: '--media', message: `${dir} is not a folder` }));
}

/** Of Debian: the message about an ISO or a tree. */
export function netbootOnly({ title }: Pick<Distro, 'title'>): string {
  return `${title} is installed by its netboot image, not from an ISO or a tree`;
}
