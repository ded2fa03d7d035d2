import { Type, type TSchema } from '@sinclair/typebox'

/** Lengths are in code points, as AJV counts them. A login checks them from above only: policies are for new secrets. */

export const Identifier = (description: string) => Type.String({ maxLength: 254, description })

export const Secret = (description: string) => Type.String({ maxLength: 128, description })

export const Otp = Type.String({ maxLength: 128, description: 'A code of the authenticator, or a recovery code: for users who have enabled a second factor.' })

export const Nullable = <Schema extends TSchema>(schema: Schema, description: string) => Type.Union([schema, Type.Null()], { description })
