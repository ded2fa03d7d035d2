import { Type } from '@sinclair/typebox'

export const AliveAnswer = Type.Object({ status: Type.Literal('ok') }, { title: 'Alive', description: 'The process answers.' })

const finding = Type.Union([Type.Literal('ok'), Type.Literal('failed')], { title: 'Finding' })

const checks = Type.Object({
  database: finding,
  migrations: finding,
  keys: finding,
  revocations: finding,
  clock: finding,
}, { title: 'HealthChecks' })

export const ReadyAnswer = Type.Object({ status: Type.Literal('ok'), checks }, { title: 'Ready', description: 'Send requests here.' })

export const NotReadyAnswer = Type.Object(
  { status: Type.Union([Type.Literal('failed'), Type.Literal('closing')]), checks },
  { title: 'NotReady', description: 'Send none for now: something that every request needs is not there, or the node is about to stop.' },
)
