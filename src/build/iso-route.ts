import { KvmimgError } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { type Iso, type IsoEntry, openIso } from '../media/iso/iso.ts';
import type { Route, RouteResponse } from '../seed-server/route.ts';

/** The files of an ISO below `iso/`, for guests that take their packages from it. It is opened when it is first asked for. */
export function makeIsoRoute(findIsoPath: () => Promise<string>, scope: Scope): Route {
  let opened: Promise<{ readonly iso: Iso; readonly path: string }> | undefined;
  const open = async () => {
    const path = await findIsoPath();
    const iso = await openIso(path);
    scope.defer('close the ISO', () => iso.close());
    return { iso, path };
  };
  return {
    prefix: 'iso',
    handle: async ({ path }): Promise<RouteResponse> => {
      opened ??= open();
      const { iso, path: isoPath } = await opened.catch((error) => {
        opened = undefined;
        throw error;
      });
      const entry = await iso.find(path.slice('iso/'.length));
      if (entry?.kind !== 'file') return { status: 404 };
      const part = { offsetBytes: wholeExtent(entry.extents, isoPath), sizeBytes: entry.sizeBytes };
      return { status: 200, file: { path: isoPath, part } };
    },
  };
}

/** Where a file begins whose parts, if it is above 4 GiB, lie one behind the other, as every program makes them. */
function wholeExtent(extents: IsoEntry['extents'], isoPath: string): number {
  const [first] = extents;
  const isWhole = extents.every(({ offsetBytes }, index) => {
    const before = extents[index - 1];
    return before === undefined || before.offsetBytes + before.sizeBytes === offsetBytes;
  });
  if (!isWhole) {
    throw new KvmimgError({
      code: 'bad-iso',
      message: `The parts of a file in ${isoPath} do not lie one behind the other.`,
      hint: "Take the distribution's own ISO.",
    });
  }
  return first?.offsetBytes ?? 0;
}
