import type { Scope } from '../lifecycle/scope.ts';
import { type Iso, openIso } from '../media/iso/iso.ts';
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
      const { iso, path: isoPath } = await opened;
      const entry = await iso.find(path.slice('iso/'.length));
      const [first] = entry?.extents ?? [];
      if (entry?.kind !== 'file') return { status: 404 };
      const { sizeBytes } = entry;
      // The parts of a file above 4 GiB lie one behind the other.
      return { status: 200, file: { path: isoPath, part: { offsetBytes: first?.offsetBytes ?? 0, sizeBytes } } };
    },
  };
}
