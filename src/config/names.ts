import leven from 'leven'
import { dialectNames } from '../domain/model.js'
import { families, foreignNames, settings } from './settings.js'

const isSecret = (name: string): boolean => Object.entries(settings).some(([known, setting]) => known === name && setting.secret)

const ownNames = Object.keys(settings).flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name]))
const declared = new Set([...ownNames, ...foreignNames])

/**
 * What Kubernetes and Docker links write into the environment of a container for a service next to it, which may have a
 * name like one of our families (`directus`, `redis`, `database`).
 */
const isWrittenForAService = (name: string): boolean => /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT$|_PORT_[A-Z0-9_]+$/.test(name)

const lifetimeOfDialect = new RegExp(`^(${dialectNames.join('|')})_.*TTL`, 'i')

const isInFamily = (name: string): boolean => families.some((family) => name.startsWith(family)) || lifetimeOfDialect.test(name)

/** A short name is near to many words: one letter counts there, two in a long one. */
const mostLettersAstray = (name: string): number => (name.length < 8 ? 1 : 2)

/** Upper and lower case count as one: a shell tells them apart, a reader does not. */
const nearest = (name: string): string | undefined =>
  ownNames.find((own) => {
    const allowed = mostLettersAstray(own)
    return Math.abs(own.length - name.length) <= allowed && leven(own, name.length < 8 ? name : name.toUpperCase(), { maxDistance: allowed + 1 }) <= allowed
  })

/**
 * Finds a name in the environment that is meant for us and that we would ignore: one that begins like ours, or that a slip
 * of the keyboard tells from one of ours.
 * @returns one line for the operator, or null
 */
export function misspelledName(environment: Readonly<Record<string, string | undefined>>): string | null {
  for (const name of Object.keys(environment)) {
    if (declared.has(name) || isWrittenForAService(name)) continue
    const meant = nearest(name)
    if (meant !== undefined) return `${name} is not a setting of tessera, and ${meant} is: correct the name, or remove it (docs/configuration.md lists them all)`
    if (isInFamily(name)) return `${name} is not a setting of tessera: correct the name or remove it (docs/configuration.md lists them all)`
  }
  return null
}
