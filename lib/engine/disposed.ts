// The error of whatever is asked of a model that is gone.
import { KvasirError } from '../errors.ts'

export function disposed(): KvasirError {
  return new KvasirError('KV_DISPOSED', 'the model was disposed; load it again')
}
