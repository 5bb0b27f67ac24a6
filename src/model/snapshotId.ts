import * as z from 'zod';

/** Minted by the controller: 12 lower-case letters and digits. */
export const SnapshotId = z.string().regex(/^[a-z0-9]{12}$/, 'must be the 12 letters and digits of a snapshot id');
