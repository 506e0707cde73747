// A refusal in three parts: what happened, why, what to do next.

/** Thrown by every flow and check. `code` is a fixed word for tests and for the page to choose by; the three texts are for people. */
export class Refusal extends Error {
  /** @param {string} code @param {{what: string, why?: string, next?: string, status?: number, reference?: string, cause?: unknown}} parts */
  constructor(code, { what, why = '', next = '', status, reference, cause } = {}) {
    super(what ?? code, cause === undefined ? undefined : { cause });
    this.name = 'Refusal';
    this.code = code;
    this.what = what ?? code;
    this.why = why;
    this.next = next;
    if (status !== undefined) this.status = status;
    if (reference !== undefined) this.reference = reference;
  }
}

const STOP = 'Stop. What this page was given does not hold together. Nothing was signed.';
const CALL = 'Call a custodian, and do not touch your key for this request.';

/** A refusal of evidence: the server's bytes contradict each other, the ledger or this device's memory. */
export const stop = (code, why, more = {}) => new Refusal(code, { what: STOP, why, next: CALL, ...more });
