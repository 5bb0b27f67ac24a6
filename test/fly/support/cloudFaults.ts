/** What goes wrong with the next calls that match. */
export interface Fault {
  /** Method and path, in which `*` stands for one part: `POST /apps/*\/machines`. */
  readonly call: string;
  /** How many times; once when absent. */
  readonly times?: number;
  /** What is answered in place of doing it. */
  readonly answer?: { status: number; error?: string; code?: string; retryAfter?: number };
  /** It is done, and the connection is cut in place of the answer. */
  readonly loseReply?: boolean;
}

export class CloudFaults {
  #faults: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#faults = [];
  }

  take(method: string, path: string): Fault | undefined {
    const found = this.#faults.find(({ fault, left }) => {
      if (left === 0) return false;
      const [wantedMethod, wantedPath = ''] = fault.call.split(' ');
      const pattern = new RegExp(`^${wantedPath.replaceAll('*', '[^/]+')}$`);
      return wantedMethod === method && pattern.test(path);
    });
    if (found) found.left -= 1;
    return found?.fault;
  }
}
