import type { Problem } from '../errors.ts';
import type { KnownFacts } from '../export/machine-facts.ts';
import { findTellingFormats, type OvfSettings, ovf } from '../recipe/ovf-settings.ts';
import type { Format } from '../recipe/schema.ts';

/** What `convert` lets say of the machine in an OVA; in a recipe it is `ovf`. */
export type MachineFlags = Partial<OvfSettings>;

const places: Readonly<Record<keyof OvfSettings, string>> = {
  hardwareVersion: '--hardware-version',
  controller: '--controller',
  diskEnableUuid: '--disk-enable-uuid',
  osType: '--os-type',
};

/** The facts that the flags give, or everything that is wrong with them. */
export function readMachineFlags(
  { hardwareVersion, controller, diskEnableUuid, osType }: MachineFlags,
  formats: readonly Format[],
): { readonly facts: KnownFacts; readonly problems: readonly Problem[] } {
  const facts = { hardwareVersion, controller, diskEnableUuid, osType };
  const issues = ovf.safeParse(facts).error?.issues ?? [];
  const wrong = issues.map(({ path, message }) => ({ place: places[path[0] as keyof OvfSettings], message }));
  const given = (Object.keys(places) as (keyof OvfSettings)[]).filter((name) => facts[name] !== undefined);
  const unheeded = given
    .map((name) => ({ place: places[name], telling: findTellingFormats(name) }))
    .filter(({ telling }) => !formats.some((format) => telling.includes(format)))
    .map(({ place, telling }) => ({
      place,
      message: `is of ${telling.join(' and ')}, and --format has only ${formats.join(', ')}`,
    }));
  return { facts, problems: [...wrong, ...unheeded] };
}
