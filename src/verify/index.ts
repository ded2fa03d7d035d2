/** Verification of tessera's tokens in other services. Nothing of the server is imported. */
export { identityOf, tesseraVerify } from './fastify.js'
export { VerificationError } from './options.js'
export type { ReadyOptions, VerificationErrorCode, VerifiedIdentity, VerifierCredential, VerifierOptions, WhenStale } from './options.js'
export { createVerifier, type Verifier } from './verifier.js'
