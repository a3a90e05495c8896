-- The requests of a file, one after the other and then again from the first; each stands behind its length (4 bytes).
-- Argument: the file. Prints one JSON object.

local requests, count, place = {}, 0, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local size = file:read(4)
  while size do
    local a, b, c, d = size:byte(1, 4)
    count = count + 1
    requests[count] = file:read(a + 256 * (b + 256 * (c + 256 * d)))
    size = file:read(4)
  end
  file:close()
end

function request()
  place = place % count + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  -- wrk counts answered requests only; those that were lost are added, so that they weigh as errors.
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"requests": %d, "errors": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests + lost, errors.status + lost, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
