import type { RequestListener } from 'node:http'
import { plainJson, shapeByPath } from '../plugins/error-shape.js'
import { problemDetails } from '../plugins/problem-details.js'
import { sentPath, pathOf } from '../plugins/request-path.js'
import type { Config } from './config/index.js'
import { AuthError } from './domain/errors.js'
import { errorShapes } from './doors.js'
import { requestIdOf } from './request-id.js'

const alive = '{"status":"ok"}'

/** What the service answers until it can: that it is alive, and else 503, in the shape of the path, as it will do later. */
export function startingAnswer(config: Config): RequestListener {
  const shapeFor = shapeByPath(errorShapes(config), problemDetails)
  return (request, response) => {
    const { url = '/' } = request
    const common = { 'cache-control': 'no-store', 'x-request-id': requestIdOf(request) }
    if (url === '/health/live') {
      response.writeHead(200, { 'content-type': plainJson, ...common }).end(alive)
      return
    }
    const shape = shapeFor(sentPath(url))
    // The texts of the dialects are fixed.
    const failure = new AuthError('unavailable', shape === problemDetails ? { reason: 'The service is starting, try again' } : {})
    const { status, body, contentType = plainJson } = shape.render(failure, pathOf(url))
    response.writeHead(status, { 'content-type': contentType, 'retry-after': '1', ...common }).end(JSON.stringify(body))
  }
}
