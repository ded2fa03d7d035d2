import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ChainHead } from '../src/domain/audit-chain.js'

export interface AuditSealerOptions {
  /** Seals one batch. @returns null when there is nothing more to seal */
  seal: () => Promise<ChainHead | null>
}

const everyMs = 2000

/** Seals the audit trail in the background, and tells the log where the chain stands: whoever keeps the log can prove it. */
function auditSealerPlugin(fastify: FastifyInstance, { seal }: AuditSealerOptions, done: () => void): void {
  let running: Promise<void> | null = null

  async function sealAll(): Promise<void> {
    try {
      for (let head = await seal(); head !== null; head = await seal()) fastify.log.info({ seq: head.seq, mac: head.mac }, 'audit chain head')
    } catch (error) {
      fastify.log.warn({ err: error }, 'the audit trail could not be sealed; it will be tried again')
    }
  }

  const timer = setInterval(() => {
    running ??= sealAll().finally(() => {
      running = null
    })
  }, everyMs)
  timer.unref()
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await running
    await sealAll()
  })
  done()
}

export default fp(auditSealerPlugin, { name: 'audit-sealer' })
