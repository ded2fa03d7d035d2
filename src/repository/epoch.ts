/** Global epoch * 2^32 + the own one: users and clients may end 2^32 times before the numbers meet. */
export const lowestEpochOf = (globalEpoch: string) => `${globalEpoch}::bigint * 4294967296`

/**
 * What the schema's function tessera_effective_epoch answers, spelled out: the server cannot inline a function that looks
 * into a table, and its calls took nearly as long as a whole rotation (PostgreSQL 15).
 * @param ownEpoch the column `epoch` of a user or a client
 */
export const effectiveEpoch = (ownEpoch: string) =>
  `(${lowestEpochOf('(SELECT global_epoch FROM service_state)')} + ${ownEpoch})`
