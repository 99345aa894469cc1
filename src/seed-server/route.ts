/** A request of the guest for one of the build's routes. */
export interface RouteRequest {
  readonly method: string;
  /** Decoded, below the token, without a leading slash: `preseed.cfg`, `debian/dists/trixie/InRelease`. */
  readonly path: string;
}

/** A file, or the part of it that lies at `part`. */
export interface ServedFile {
  readonly path: string;
  readonly part?: { readonly offsetBytes: number; readonly sizeBytes: number };
}

export interface RouteResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Content, or a file whose content is sent. Neither: no body. */
  readonly body?: Uint8Array | string;
  readonly file?: ServedFile;
}

/** Answers every path that is the prefix or lies below it. */
export interface Route {
  readonly prefix: string;
  readonly handle: (request: RouteRequest) => Promise<RouteResponse> | RouteResponse;
}

/** The route with the longest prefix that the path lies in. */
export function findRoute(routes: readonly Route[], path: string): Route | undefined {
  return routes
    .filter(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
    .sort((one, other) => other.prefix.length - one.prefix.length)[0];
}
