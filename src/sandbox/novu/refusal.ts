import type { Answer, Request } from '../stand-in.ts'

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  409: 'Conflict',
  422: 'Unprocessable Entity',
}

/** A refusal in the shape of the API. */
export function refuse(
  request: Request,
  status: number,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Answer {
  const error = reasons[status]
  return {
    status,
    body: {
      statusCode: status,
      timestamp: new Date().toISOString(),
      path: request.target,
      message,
      ...(error === undefined ? {} : { error }),
      ...more,
    },
  }
}

/** The shape for a key that is not accepted: without a time and a path, which the official SDK cannot read. */
export function refuseKey(status: 401 | 403 = 401): Answer {
  const message = status === 401 ? 'API Key not found' : 'Forbidden resource'
  return { status, body: { message, error: status === 401 ? 'Unauthorized' : 'Forbidden', statusCode: status } }
}

export function refuseForNow(request: Request, retryAfter: string | undefined): Answer {
  const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter }
  return { ...refuse(request, 429, 'API rate limit exceeded'), headers }
}

export function fail(request: Request, status = 500): Answer {
  const message = 'Internal server error, contact support and provide them with the errorId'
  return refuse(request, status, message, { errorId: 'ed0a9c4e1f7b4d0f9a5e' })
}
