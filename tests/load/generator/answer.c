/* The head of an answer: its status and the few fields that matter here. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *value_of(const char *line, const char *name)
{
    size_t size = strlen(name);
    if (strncasecmp(line, name, size) || line[size] != ':') return NULL;
    return line + size + 1 + strspn(line + size + 1, " \t");
}

static enum cache cache_of(const char *value)
{
    return *value == 'h' ? HIT : *value == 'm' ? MISS : *value == 'b' ? BYPASS : NO_CACHE;
}

bool read_head(struct answer *answer, const char *head)
{
    const char *value;
    if (sscanf(head, "HTTP/1.%*1[01] %d", &answer->status) != 1) return false;
    answer->closes = head[7] == '0'; /* unless HTTP/1.0 says keep-alive */
    answer->body_left = answer->status == 204 || answer->status == 304 ? 0 : -1;
    for (const char *line = strchr(head, '\n'); line && *++line != '\r'; line = strchr(line, '\n')) {
        if ((value = value_of(line, "Content-Length"))) answer->body_left = atol(value);
        else if ((value = value_of(line, "Retry-After"))) answer->has_retry_after = true;
        else if ((value = value_of(line, "Connection"))) answer->closes = !strncasecmp(value, "close", 5);
        else if ((value = value_of(line, "X-Cache"))) answer->cache = cache_of(value);
    }
    return answer->body_left >= 0;
}
