-- What HAProxy runs in its TCP front (edge_heads.py): its HTTP parser can only answer in its own text, so a head that the
-- parser would refuse is answered here, with the problem documents of the folder that is given.
local folder = ...

for _, status in ipairs({400, 408, 431}) do
    local file = assert(io.open(folder .. "/" .. status .. ".http", "rb"))
    local message = file:read("a")
    file:close()
    core.register_service("problem_" .. status, "tcp", function(applet) applet:send(message) end)
end

local FIRST = "^[!-~]+ [!-~]+ HTTP/%d%.%d\r?$"
local FIELD = "^[%w!#$%%&'*+.^_`|~-]+:[^\0\r]*\r?$"
local FOLDED = "^[ \t][^\0\r]*\r?$"

-- Whether the chunks of a body that came with its head are chunks, as far as they came.
local function chunks(body)
    local at = 1
    while at <= #body do
        local size, data = body:match("^(%x+)[^\r\n]*\r?\n()", at)
        if not size then
            return body:find("^%x*[^\r\n]*\r?$", at) ~= nil and body:find("^[%x\r]", at) ~= nil
        end
        local bytes = #size <= 8 and tonumber(size, 16) or 0 -- a longer one would overflow: the parser refuses it
        at = data + bytes
        if bytes == 0 or at > #body or body:sub(at) == "\r" then
            return true
        end
        at = body:match("^\r?\n()", at)
        if not at then
            return false
        end
    end
    return true
end

-- "partial" until the empty line has come, then "whole", or "bad" where a line is not one of HTTP/1.1 (RFC 9112).
core.register_converters("head", function(bytes)
    bytes = bytes:gsub("^[\r\n]+", "")
    local stop, stopped = bytes:find("\n\r?\n")
    if not stop then
        return "partial"
    end
    local pattern, chunked = FIRST, false
    for line in bytes:sub(1, stop):gmatch("([^\n]*)\n") do
        if not line:find(pattern) and (pattern == FIRST or not line:find(FOLDED)) then
            return "bad"
        end
        pattern = FIELD
        chunked = chunked or line:lower():find("^transfer%-encoding:.*chunked") ~= nil
    end
    return (chunked and not chunks(bytes:sub(stopped + 1))) and "bad" or "whole"
end)
