-- A wrk script that requests one of the first COUNT calls of compare.sh at random and prints the results.
local count = tonumber(os.getenv("COUNT"))

local function call(number)
  local id = string.format("%08x-0000-4000-8000-%012x", (number * 2654435761) % 4294967296, number)
  return wrk.format("GET", "/v1/call/" .. id, { ["Authorization"] = "Bearer sandbox-token" })
end

local first

function init()
  math.randomseed(1)
  first = call(1)
end

function request()
  -- Formatting a request takes longer than some servers take to answer it.
  return count == 1 and first or call(math.random(count))
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %.0f %.2f %d %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(99) / 1000, failed, summary.requests))
end
