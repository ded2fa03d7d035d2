import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'

/** https at 127.0.0.1 before a node that speaks http, by a certificate of its own (made by openssl). @returns the certificate as a file, for whoever is to trust it */
export async function startTlsFront(t: Test, port: number, nodeUrl: string): Promise<{ certificateFile: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-tls-'))
  await chmod(folder, 0o755)
  const [keyFile, certificateFile] = [`${folder}/key.pem`, `${folder}/certificate.pem`]
  const ask = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  await promisify(execFile)('openssl', [...ask, '-keyout', keyFile, '-out', certificateFile])
  const front = createServer({ key: await readFile(keyFile), cert: await readFile(certificateFile) }, (incoming, answer) => {
    const { method, headers, url } = incoming
    const outgoing = request(new URL(url ?? '/', nodeUrl), { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    outgoing.on('error', () => answer.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => front.listen(port, '127.0.0.1', resolve))
  t.teardown(async () => {
    front.closeAllConnections()
    front.close()
    await rm(folder, { recursive: true })
  })
  return { certificateFile }
}
