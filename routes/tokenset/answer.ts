import type { FastifyInstance } from 'fastify'
import type { Static } from '@sinclair/typebox'
import type { TokensAnswer } from '../../schemas/tokenset.js'
import type { Grant } from '../../src/domain/grants.js'
import { idClaims } from './claims.js'

/** Login and refresh answer alike. */
export const toTokens = (app: FastifyInstance, grant: Grant): Static<typeof TokensAnswer> => ({
  statusCode: 200,
  statusMessage: 'OK',
  tokens: {
    // Its `typ` keeps it from being taken for an access token (RFC 9068 §5).
    idToken: app.accessTokens.sign(idClaims(app.config, grant), 'JWT'),
    accessToken: grant.accessToken,
    refreshToken: grant.refreshToken,
  },
})
