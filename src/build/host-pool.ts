/** What a machine takes of the host while it runs. */
export interface HostShare {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** The cores and the memory that the machines of one kvmimg process have among them. */
export interface HostPool {
  /**
   * Waits until the share is free, and gives what returns it; returning twice is harmless. First come, first served:
   * nobody overtakes a large share that waits, so that it gets its turn. A share larger than the host is all of it.
   *
   * @throws the signal's reason when it is aborted before the share is had.
   */
  readonly take: (needs: HostShare, signal: AbortSignal) => Promise<() => void>;
}

interface Waiter {
  readonly share: HostShare;
  readonly grant: () => void;
}

export function makeHostPool(host: HostShare): HostPool {
  const free = { ...host };
  const queue: Waiter[] = [];

  const add = (share: HostShare, sign: 1 | -1): void => {
    free.cpus += sign * share.cpus;
    free.memoryBytes += sign * share.memoryBytes;
  };
  const grantNext = (): void => {
    for (let first = queue[0]; first && fits(first.share, free); first = queue[0]) {
      queue.shift();
      add(first.share, -1);
      first.grant();
    }
  };
  const makeRelease = (share: HostShare): (() => void) => {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      add(share, 1);
      grantNext();
    };
  };
  const take: HostPool['take'] = (needs, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const share = limitTo(host, needs);
      const onAbort = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(signal.reason);
        // Those behind it may have waited for nothing else.
        grantNext();
      };
      const waiter: Waiter = {
        share,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(makeRelease(share));
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiter);
      grantNext();
    });
  return { take };
}

function limitTo(host: HostShare, needs: HostShare): HostShare {
  return { cpus: Math.min(needs.cpus, host.cpus), memoryBytes: Math.min(needs.memoryBytes, host.memoryBytes) };
}

function fits(share: HostShare, free: HostShare): boolean {
  return share.cpus <= free.cpus && share.memoryBytes <= free.memoryBytes;
}
