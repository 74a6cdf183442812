"""Flask's programming model in one file of the standard library.

    from microflask import Flask

    app = Flask(__name__)

    @app.route("/hello/<name>")
    def hello(name):
        return f"Hello, {name}!"

    app.run()

Copy this file into a project, under any name: it never uses its own.
`python3 microflask.py --help` shows what it does as a program.

Contents

   1. Text that is safe in HTML
   2. URLs, bytes, and WSGI's latin-1
   3. Header values
   4. HTTP errors
   5. Dictionaries with repeated keys
   6. Headers
   7. Negotiation, caching, ranges, credentials
   8. WSGI plumbing
   9. Forms and uploads
  10. The current context: a box, filled later
  11. JSON
  12. The request
  13. The response
  14. Routing
  15. Templates
  16. Signing and passwords
  17. Sessions
  18. Signals
  19. Configuration
  20. The development server
  21. The test client
  22. The application context
  23. Helpers a view calls
  24. Class-based views
  25. Commands
  26. What an app and a blueprint share
  27. Blueprints
  28. The application
  29. The command line

The life of one request (read these nine and you know the framework)

    Flask.__call__ -> wsgi_app -> request_context
    -> AppContext.push (matches the URL) -> full_dispatch_request
    -> dispatch_request (calls your view) -> make_response
    -> process_response (session, after_request) -> Response.__call__

Legend

    environ     the dict in which a WSGI server describes a request
    rule        one URL pattern, such as /hello/<name>
    values      what a URL had at the places of a rule's variables
    endpoint    the name of a view in the URL map, not the function
    adapter     the URL map as one request sees it
    ctx         the current AppContext: the app and the request it answers
    the box     the context variable that holds ctx
    the knot    a class attribute set below, for what can't be named above

Each section uses only what stands above it.

SPDX-License-Identifier: BSD-3-Clause (the text is at the end of the file)
"""

from __future__ import annotations

import ast
import base64
import bisect
import codecs
import collections
import contextlib
import contextvars
import copy
import enum
import errno
import functools
import hashlib
import hmac
import http
import io
import itertools
import json as _json
import keyword
import math
import numbers
import operator
import os
import posixpath
import re
import string
import sys
import time
import types
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from datetime import date, datetime, timedelta, timezone
from typing import Any, Literal, NoReturn, get_args, get_origin
from urllib.parse import (
    quote, unquote, urlencode, urljoin, urlsplit, urlunsplit)

__version__ = "0.1.0"

__all__ = [
    # 1
    "escape", "escape_silent", "soft_str", "EscapeFormatter", "Markup",
    # 2
    "uri_to_iri", "iri_to_uri", "host_is_trusted",
    # 3
    "HTTP_STATUS_CODES", "http_date", "parse_date", "parse_age", "dump_age",
    "quote_header_value", "unquote_header_value", "parse_list_header",
    "parse_dict_header", "dump_header", "parse_options_header",
    "dump_options_header", "dump_cookie", "quote_etag", "unquote_etag",
    "generate_etag",
    # 4
    "default_exceptions", "HTTPException", "BadRequest", "ClientDisconnected",
    "SecurityError", "BadHost", "Forbidden", "NotFound", "NotAcceptable",
    "RequestTimeout", "Conflict", "Gone", "LengthRequired",
    "PreconditionFailed", "RequestEntityTooLarge", "RequestURITooLarge",
    "UnsupportedMediaType", "ExpectationFailed", "ImATeapot",
    "MisdirectedRequest", "UnprocessableEntity", "Locked", "FailedDependency",
    "PreconditionRequired", "RequestHeaderFieldsTooLarge",
    "UnavailableForLegalReasons", "MethodNotImplemented", "BadGateway",
    "GatewayTimeout", "HTTPVersionNotSupported", "BadRequestKeyError",
    "Unauthorized", "MethodNotAllowed", "RequestedRangeNotSatisfiable",
    "TooManyRequests", "ServiceUnavailable", "InternalServerError", "Aborter",
    # 5
    "iter_multi_items", "MultiDict", "ImmutableList", "ImmutableDict",
    "ImmutableMultiDict", "CombinedMultiDict", "CallbackDict", "parse_cookie",
    # 6
    "Headers", "EnvironHeaders", "HeaderSet", "parse_set_header",
    # 7
    "Accept", "MIMEAccept", "LanguageAccept", "CharsetAccept",
    "parse_accept_header", "cache_control_property", "RequestCacheControl",
    "ResponseCacheControl", "ContentSecurityPolicy", "ContentRange",
    "parse_cache_control_header", "parse_csp_header", "COEP", "COOP", "ETags",
    "parse_etags", "Range", "parse_range_header", "parse_if_range_header",
    "parse_content_range_header", "Authorization", "WWWAuthenticate",
    "UserAgent",
    # 8
    "LimitedStream", "get_content_length", "get_input_stream", "get_host",
    "get_current_url", "ClosingIterator", "FileWrapper", "wrap_file",
    "run_wsgi_app",
    # 9
    "FileStorage", "default_stream_factory", "parse_form_data",
    "FormDataParser",
    # 10
    "Local", "LocalStack", "release_local", "LocalManager", "LocalProxy",
    "current_app", "g", "request", "session", "app_ctx", "request_ctx",
    # 11
    "JSONProvider", "DefaultJSONProvider", "jsonify", "json",
    # 12
    "cached_property", "Request",
    # 13
    "header_property", "Response",
    # 14
    "RoutingException", "RequestRedirect", "BuildError", "ValidationError",
    "BaseConverter", "UnicodeConverter", "RegexConverter", "AnyConverter",
    "PathConverter", "NumberConverter", "IntegerConverter", "FloatConverter",
    "UUIDConverter", "RuleFactory", "Rule", "Submount", "Subdomain",
    "EndpointPrefix", "RuleTemplate", "RuleTemplateFactory", "MapAdapter",
    "Map",
    # 15
    "TemplateError", "TemplateNotFound", "TemplateSyntaxError",
    "TemplateRuntimeError", "UndefinedError", "Undefined", "Template",
    "DictLoader", "FileSystemLoader", "Environment",
    # 16
    "BadData", "BadSignature", "BadTimeSignature", "SignatureExpired",
    "BadHeader", "BadPayload", "want_bytes", "base64_encode", "base64_decode",
    "HMACAlgorithm", "NoneAlgorithm", "Signer", "TimestampSigner",
    "Serializer", "TimedSerializer", "URLSafeSerializer",
    "URLSafeTimedSerializer", "gen_salt", "generate_password_hash",
    "check_password_hash",
    # 17
    "JSONTag", "TaggedJSONSerializer", "SessionMixin", "SecureCookieSession",
    "NullSession", "SessionInterface", "SecureCookieSessionInterface",
    # 18
    "ANY", "Signal", "Namespace", "signal", "template_rendered",
    "before_render_template", "request_started", "request_finished",
    "request_tearing_down", "got_request_exception", "appcontext_tearing_down",
    "appcontext_pushed", "appcontext_popped", "message_flashed",
    # 19
    "ImportStringError", "import_string", "ConfigAttribute", "Config",
    # 20
    "ProxyFix", "DispatcherMiddleware", "is_running_from_reloader",
    "run_with_reloader", "make_server", "run_simple",
    # 21
    "encode_multipart", "EnvironBuilder", "create_environ", "Cookie",
    "TestResponse", "ClientRedirectError", "FlaskClient", "Client",
    # 22
    "AppContext", "RequestContext",
    # 23
    "has_app_context", "has_request_context", "after_this_request",
    "copy_current_request_context", "stream_with_context", "make_response",
    "url_for", "redirect", "abort", "render_template",
    "render_template_string", "stream_template", "stream_template_string",
    "get_template_attribute", "flash", "get_flashed_messages", "safe_join",
    "secure_filename", "send_file", "send_from_directory",
    # 24
    "View", "MethodView",
    # 25
    "UsageError", "get_debug_flag", "load_dotenv", "get_load_dotenv",
    "ScriptInfo", "with_appcontext", "pass_script_info", "Command", "AppGroup",
    "Result", "FlaskCliRunner",
    # 26
    "Scaffold",
    # 27
    "BlueprintSetupState", "Blueprint",
    # 28
    "wsgi_errors_stream", "has_level_handler", "DispatchingJinjaLoader",
    "Flask",
    # 29
    "NoAppException", "find_best_app", "find_app_by_string", "prepare_import",
    "locate_app", "FlaskGroup", "show_server_banner", "run_command",
    "shell_command", "routes_command", "cli", "main",
]

# Stands for "no argument given" where None is an argument.
_missing: Any = type("_Missing", (), {"__repr__": lambda self: "no value"})()


class _Regex:
    """A regular expression that is compiled at its first use."""

    # To compile all of them would be a tenth of the time of a start.

    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self.pattern, self.flags = pattern, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self.pattern, self.flags), name)
        setattr(self, name, value)
        return value


# =============================================================================
# 1. Text that is safe in HTML
# =============================================================================
#
# HTML gives five characters a meaning.  A user's name that contains one must
# not become a tag, so text is escaped on its way into a page, and only once:
# `escape` turns anything into Markup, a str that is HTML and stays as it is.
# Objects of other libraries take part by a method `__html__`.  That is enough
# for text and for attributes in quotes, but not for scripts.


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(
        ">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")


def escape(s: Any, /) -> Markup:
    """Return an object's text as Markup: "<b>" becomes "&lt;b&gt;"."""
    if type(s) is not str and hasattr(s, "__html__"):
        return Markup(s)
    return str.__new__(Markup, _escaped(str(s)))


def escape_silent(s: Any, /) -> Markup:
    """Return the escaped text of an object, and nothing for None."""
    return Markup() if s is None else escape(s)


def soft_str(s: Any, /) -> str:
    """Return the text of an object; a str, also Markup, stays as it is."""
    return s if isinstance(s, str) else str(s)


class EscapeFormatter(string.Formatter):
    """A formatter that escapes each field before it inserts it."""
    def __init__(self, escape: Any) -> None:
        self.escape = escape

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return the escaped text of one field."""
        if hasattr(value, "__html_format__"):
            value = value.__html_format__(format_spec)
        elif not hasattr(value, "__html__"):
            value = super().format_field(value, format_spec)
        elif format_spec:
            raise ValueError(f"{value!r} needs a method __html_format__.")
        return str(self.escape(value))


# An argument of %, escaped when it is read as text.
_Argument: Any = type("_Argument", (), {
    "__init__": lambda self, value: setattr(self, "value", value),
    "__getitem__": lambda self, key: _Argument(self.value[key]),
    "__str__": lambda self: str(escape(self.value)),
    "__repr__": lambda self: str(escape(repr(self.value))),
    "__int__": lambda self: int(self.value),
    "__float__": lambda self: float(self.value)})


class Markup(str):
    """A str that is HTML already; what is added to it is escaped."""
    __slots__ = ()

    def __new__(cls, object: Any = "", *args: Any, **options: Any) -> Any:
        if hasattr(object, "__html__"):
            object = object.__html__()
        return super().__new__(cls, object, *args, **options)

    def __html__(self) -> Markup:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"

    def __add__(self, other: Any) -> Any:
        if isinstance(other, str) or hasattr(other, "__html__"):
            return type(self)(super().__add__(self.escape(other)))
        return NotImplemented

    def __radd__(self, other: Any) -> Any:
        return type(self)() + other + self

    def __mod__(self, value: Any) -> Markup:
        if isinstance(value, str) or not hasattr(value, "__getitem__"):
            value = (value,)
        is_tuple = isinstance(value, tuple)
        value = tuple(map(_Argument, value)) if is_tuple else _Argument(value)
        return type(self)(super().__mod__(value))

    @classmethod
    def escape(cls, s: Any, /) -> Markup:
        """Return the escaped text of an object as this class."""
        return cls(escape(s))

    def format(self, *args: Any, **kwargs: Any) -> Markup:
        """Insert escaped values into the fields in braces."""
        formatter = EscapeFormatter(self.escape)
        return type(self)(formatter.vformat(self, args, kwargs))

    def format_map(self, mapping: Any, /) -> Markup:
        """Insert escaped values of a mapping."""
        formatter = EscapeFormatter(self.escape)
        return type(self)(formatter.vformat(self, (), mapping))

    def join(self, iterable: Any, /) -> Markup:
        """Join escaped values."""
        return type(self)(super().join(map(self.escape, iterable)))

    def unescape(self) -> str:
        """Return plain text: `&lt;` is `<` again."""
        import html     # Its table of names takes a millisecond.
        return html.unescape(str(self))

    def striptags(self) -> str:
        """Return plain text without comments, tags, runs of white space."""
        import html
        # A comment, a tag, or all that follows one that never ends.
        text = re.sub(r"(?s)<!--.*?-->|<(?!!--)[^>]*>|(<.*)", r"\1", self)
        return html.unescape(" ".join(text.split()))


def _markup_method(method):
    def wrapped(self, *args, **options):
        if method.__name__ in ("replace", "center", "ljust", "rjust"):
            args = (*args[:1], *map(self.escape, args[1:2]), *args[2:])
        found = method(self, *args, **options)
        if isinstance(found, str):
            return type(self)(found)
        return type(found)(map(type(self), found))
    return functools.wraps(method)(wrapped)


# The other methods of str give Markup, too.
for _name in """__getitem__ __mul__ __rmul__ capitalize casefold center
        expandtabs ljust lower lstrip partition removeprefix removesuffix
        replace rjust rpartition rsplit rstrip split splitlines strip swapcase
        title translate upper zfill""".split():
    setattr(Markup, _name, _markup_method(getattr(str, _name)))


# =============================================================================
# 2. URLs, bytes, and WSGI's latin-1
# =============================================================================
#
# A URL travels as ASCII: another character is its bytes in UTF-8, as %C3%A9.
# That is a URI (RFC 3986).  People see the characters, in an IRI (RFC 3987).
# WSGI has a third form, a str of latin-1 whose characters stand for bytes
# (PEP 3333).  Wrong bytes are never an error, for addresses are cut in half
# and typed by hand.  Only "&" separates the fields of a query: where ";" does
# so too, a cache in front may see another query than the app.


def _from_wsgi(text):
    if text.isascii():
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _to_wsgi(text):
    return text.encode("utf-8").decode("latin-1")


def _percent_again(error):
    return quote(error.object[error.start:error.end]), error.end


# In URLs, bytes that are not UTF-8 stay %XX.
codecs.register_error("percent", _percent_again)
_unquote = functools.partial(unquote, errors="percent")


def _query_pairs(query):
    """Return the fields of a query or form: "a=x+y&b" has "x y" and ""."""
    fields = [(name, value)
              for field in query.replace("+", " ").split("&") if field
              for name, _, value in [field.partition("=")]]
    if "%" not in query:
        return fields
    return [(_unquote(name), _unquote(value)) for name, value in fields]


def _urlencode(pairs):
    return urlencode([pair for pair in pairs if pair[1] is not None],
                     safe="!$'()*,/:;?@")


def _decoder(kept):
    # What comes to stand behind %25 is not decoded.
    kept_re = _Regex(rf"%(?=[01]|2[05]|7f|{kept})", re.IGNORECASE)
    return lambda text: _unquote(kept_re.sub("%25", text))


# In login, path, query and fragment, what would change the meaning of the URL
# stays encoded, and so do controls, spaces and "%" everywhere.
_DECODERS = list(map(
    _decoder, ("3a|40|2f|3f|23", "2f|3f|23", "26|3d|2b|23", "25")))
_ENCODERS = [functools.partial(quote, safe="%!$&'()*+,;=:/?#@")] * 4


def _encode_idna(host):
    return host.encode("idna").decode("ascii")


def uri_to_iri(uri: str) -> str:
    """Return a URI as people read it: "/%C3%A9%2F" is "/\u00e9%2F"."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    with contextlib.suppress(UnicodeError):
        host = host.encode("ascii").decode("idna")
    return _convert_url(parts, host, _DECODERS)


def iri_to_uri(iri: str) -> str:
    """Return an IRI as it travels: "/\u00e9%2F" is "/%C3%A9%2F"."""
    parts = urlsplit(iri)
    return _convert_url(parts, _encode_idna(parts.hostname or ""), _ENCODERS)


def _convert_url(parts, host, converters):
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None:
        host += f":{parts.port}"
    login, at, _ = parts.netloc.rpartition("@")
    if not parts.netloc and parts.path[:2] == "//":
        # Without a host, what follows "//" must not become one.
        parts = parts._replace(path="/" + parts.path.lstrip("/"))
    login, *others = [part and convert(part) for convert, part in zip(
        converters, (login.replace("@", "%40"), *parts[2:]))]
    return urlunsplit([parts.scheme, login + at + host, *others])


_HOST_RE = _Regex(r"(?:[a-z0-9._-]+|\[([a-f0-9:.]+)\])"
                  r"(?::([1-9][0-9]{0,4}))?", re.ASCII | re.IGNORECASE)
_PORT_RE = _Regex(r":[0-9]+\Z")


def _is_valid_host(host):
    match = _HOST_RE.fullmatch(host)
    if match is None or int(match[2] or 1) > 65535:
        return False
    if match[1] is None:
        return True
    import ipaddress    # Few hosts are in brackets.
    with contextlib.suppress(ValueError):
        return bool(ipaddress.IPv6Address(match[1]))
    return False


def host_is_trusted(hostname: str | None, trusted_list: Any = None) -> bool:
    """Tell whether a host is valid and in a list, where ".x" is all of x."""
    if hostname is None or not _is_valid_host(hostname):
        return False
    if isinstance(trusted_list, str):
        trusted_list = [trusted_list]
    name = "." + _PORT_RE.sub("", hostname.lower())
    for entry in trusted_list or ():
        known = "." + _encode_idna(_PORT_RE.sub("", entry.lower().lstrip(".")))
        if name == known or entry[:1] == "." and name.endswith(known):
            return True
    return not trusted_list


# =============================================================================
# 3. Header values
# =============================================================================
#
# A header is a line of text with a small language of its own: a date, a list,
# a value with options, a cookie.  Reading is lenient: what strangers send
# wrong is skipped, never an exception, and each expression matches in one way
# only, so that none gets slow.  Writing is strict: `_head_text` guards all
# that enters the head of a response, since a line end in it would start a
# header of an attacker's.  RFC 9110 (headers), 6265 (cookies), 8187
# (`filename*`).  Left out: RFC 2231's continuations (`filename*0=`).

# HTTPStatus has other names for these, some of them in some Pythons only.
HTTP_STATUS_CODES = {code.value: code.phrase for code in http.HTTPStatus} | {
    203: "Non Authoritative Information", 207: "Multi Status",
    306: "Switch Proxy", 413: "Request Entity Too Large",
    414: "Request URI Too Long", 416: "Requested Range Not Satisfiable",
    418: "I'm a teapot", 422: "Unprocessable Entity", 449: "Retry With",
    511: "Network Authentication Failed"}

_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TOKEN_RE = _Regex(_TOKEN)
# Visible characters, spaces, tabs (RFC 9110 5.5).
_VALUE_RE = _Regex(r"[\t\x20-\x7e\x80-\xff]*")
_HEAD_RES = {
    "header name": _TOKEN_RE,
    # It is encoded when it is sent, so all that can be encoded will do.
    "location": _Regex(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*"),
    "cookie name": _Regex(r"[!#-+\--:<>-\[\]-~\x80-\xff]+"),
    "cookie attribute": _Regex(r"[ -:<-~]*")}


def _head_text(value, what="header value"):
    """Return a value as text that may enter the head of a response."""
    if type(value) is not str:
        if value is None or isinstance(value, (bytes, bytearray)):
            raise ValueError(f"A {what} must be text, not {value!r}.")
        # PEP 3333 wants str itself, no subclass such as Markup.
        value = str.__str__(value) if isinstance(value, str) else str(value)
    if not _HEAD_RES.get(what, _VALUE_RE).fullmatch(value):
        raise ValueError(f"{value!r} can't be a {what}: a character, such as"
                         " a line end, is not allowed there, or it is empty.")
    return value


def _number(text):
    # Few digits, as huge numbers take long, and in ASCII.
    is_number = text and len(text) < 20 and text.isascii() and text.isdigit()
    return int(text) if is_number else None


def _seconds(span) -> int:
    return int(span.total_seconds() if isinstance(span, timedelta) else span)


def http_date(timestamp: Any = None) -> str:
    """Return seconds, a date, or now as "Thu, 01 Jan 1970 00:00:00 GMT"."""
    if isinstance(timestamp, date):
        moment = getattr(timestamp, "utctimetuple", timestamp.timetuple)()
    else:
        is_local = isinstance(timestamp, time.struct_time)
        moment = time.gmtime(time.mktime(timestamp) if is_local else timestamp)
    # strftime alone would name day and month in the user's language.
    return time.strftime(
        f"{_DAYS[moment.tm_wday]}, %d {_MONTHS[moment.tm_mon - 1]}"
        f" {moment.tm_year:04} %H:%M:%S GMT", moment)


def parse_date(value: str | None) -> datetime | None:
    """Return the moment that a header names, aware, or None."""
    with contextlib.suppress(TypeError, ValueError, OverflowError, IndexError):
        if value and len(value) < 100 and value.isascii():
            from email.utils import parsedate_to_datetime   # takes 15 ms
            moment = parsedate_to_datetime(value)
            return moment.replace(tzinfo=moment.tzinfo or timezone.utc)
    return None


def parse_age(value: str | None = None) -> timedelta | None:
    """Return a number of seconds as a timedelta, or None."""
    with contextlib.suppress(TypeError, OverflowError):
        return timedelta(seconds=_number(value))
    return None


def dump_age(age: timedelta | int | None = None) -> str | None:
    """Return a time span in seconds, as text.  Raises ValueError below 0."""
    if age is None:
        return None
    if _seconds(age) < 0:
        raise ValueError(f"An age can't be negative: {age!r}.")
    return str(_seconds(age))


def quote_header_value(value: Any, allow_token: bool = True) -> str:
    """Return a value, in quotes if it needs them: 'a "b"' is '"a \\"b\\""'."""
    text = str(value)
    if allow_token and _TOKEN_RE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote_header_value(value: str) -> str:
    """Return a value without quotes and, if it had some, backslashes."""
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return re.sub(r"(?s)\\(.)", r"\1", value[1:-1]) if is_quoted else value


# Characters and quoted strings, up to a comma, the end, or an unclosed quote,
# which takes the rest: to look for its end again from there is quadratic.
_LIST_ITEM_RE = _Regex(r'(?s)((?:[^",]|"(?:[^"\\]|\\.)*")*)(,|\Z|".*)')


def parse_list_header(value: str) -> list[str]:
    """Return the items of a list: 'a, "b, c"' has two; an open quote none."""
    found = _LIST_ITEM_RE.findall(value)
    if any(end[:1] == '"' for _, end in found):
        return []
    items = [item.strip(" \t") for item, _ in found]
    return [unquote_header_value(item) for item in items if item]


def parse_dict_header(value: str) -> dict[str, str | None]:
    """Return the items of a list of name=value; None for a bare name."""
    result: dict[str, str | None] = {}
    for item in parse_list_header(value):
        name, equals, text = [
            part.strip(" \t") for part in item.partition("=")]
        if equals and name.endswith("*"):
            name, text = name[:-1], _decode_extended(text)
        if name:
            result[name] = unquote_header_value(text) if equals else None
    return result


def _decode_extended(text):
    # charset ' language ' percent-encoded text (RFC 8187 3.2)
    match = re.fullmatch(rf"([^']*)'[^']*'({_TOKEN})", text)
    charset, text = match.groups() if match else ("", text)
    is_known = charset.lower() in ("utf-8", "iso-8859-1", "ascii", "us-ascii")
    return unquote(text, charset) if is_known else text


def dump_header(iterable: Any) -> str:
    """Return a list or a dict as a header, with commas; None: a bare name."""
    if not isinstance(iterable, dict):
        return ", ".join(map(quote_header_value, iterable))
    return ", ".join(
        name if value is None else
        f"{name}={value if name[-1:] == '*' else quote_header_value(value)}"
        for name, value in iterable.items())


# name "=" (token | quoted string, maybe unclosed), and what is left up to ";"
_OPTION_RE = _Regex(rf'(?s)[ \t]*(?:({_TOKEN})=({_TOKEN}|'
                    r'"(?:[^"\\]|\\.)*("?)))?[^;]*;?')


def parse_options_header(value: str | None) -> tuple[str, dict[str, str]]:
    """Return a value and its options: 'a/b; C="d"' is "a/b", {"c": "d"}."""
    main, _, rest = (value or "").partition(";")
    main = main.strip(" \t")
    options: dict[str, str] = {}
    if not (main and rest):
        return main, options
    for name, text, closed in _OPTION_RE.findall(rest):
        if text[:1] == '"' and not closed:
            break
        if name.endswith("*"):
            options[name[:-1].lower()] = _decode_extended(text)
        elif name:
            # Browsers write a quote in the name of a form's field as %22.
            text = unquote_header_value(text).replace("%22", '"')
            options[name.lower()] = text
    return main, options


def dump_options_header(header: str | None, options: Any) -> str:
    """Return a value with options: in UTF-8 if need be; not if it is None."""
    parts = [] if header is None else [header]
    for name, value in options.items():
        if not str(value).isascii():    # RFC 8187
            name += "*"
            value = "UTF-8''" + quote(str(value), safe="!#$&+-.^_`|~")
        if value is not None:
            parts.append(dump_header({name: value}))
    return "; ".join(parts)


# A pair, or what is wrong, up to the next semicolon.  Two places for the same
# white space would make it quadratic.
_COOKIE_RE = _Regex(r"""(?sx)
    [ \t]* ([^ \t=";]+) [ \t]*
    (?: = [ \t]* (?: ("[^"\\]*(?:\\.[^"\\]*)*" | [^ \t";]+) [ \t]* )? )?
    (?: ; | \Z ) | [^;]+ | ;""")


_COOKIE_QUOTED_RE = _Regex(r"[^!#-+\--:<-\[\]-~]")


def _cookie_pairs(header):
    return [(name, _cookie_unquote(value) if value[:1] == '"' else value)
            for name, value in _COOKIE_RE.findall(header) if name]


def _cookie_unquote(value):
    # Its escapes are bytes of UTF-8.
    return _from_wsgi(re.sub(
        r"(?s)\\([0-3][0-7]{2}|.)",
        lambda match: chr(int(match[1], 8)) if match[1][1:] else match[1],
        _to_wsgi(value[1:-1])))


def _cookie_quote(value):
    if not _COOKIE_QUOTED_RE.search(value):
        return value
    value = re.sub(r'(["\\])', r"\\\1", _to_wsgi(value))
    return '"' + re.sub(r"[\x00-\x1f,;\x7f-\xff]",
                        lambda match: f"\\{ord(match[0]):03o}", value) + '"'


@functools.lru_cache(maxsize=64)
def _cookie_name(key):
    return _head_text(_to_wsgi(key), "cookie name")


@functools.lru_cache(maxsize=64, typed=True)
def _cookie_settings(secure, httponly, path, samesite, partitioned):
    """Return the part of a cookie that is the same each time."""
    if path is not None:
        path = quote(_head_text(path, "location"), safe="%!$&'()*+,/:=@")
    samesite = samesite and samesite.title()
    if samesite not in (None, "Strict", "Lax", "None"):
        raise ValueError(f"samesite={samesite!r}: use Strict, Lax or None.")
    return "".join([_cookie_attribute(name, setting) for name, setting in {
        # Browsers refuse the last two without the first.
        "Secure": bool(secure or partitioned or samesite == "None"),
        "HttpOnly": httponly, "Path": path, "SameSite": samesite,
        "Partitioned": partitioned}.items()])


def _cookie_attribute(name, setting):
    if setting is None or setting is False:
        return ""
    if setting is True:
        return f"; {name}"
    return f"; {name}={_head_text(setting, 'cookie attribute')}"


def dump_cookie(
        key: str, value: str = "", max_age: timedelta | int | None = None,
        expires: Any = None, path: str | None = "/", domain: str | None = None,
        secure: bool = False, httponly: bool = False,
        sync_expires: bool = True, max_size: int = 4093,
        samesite: str | None = None, partitioned: bool = False) -> str:
    """Return the value of a Set-Cookie header that browsers will accept."""
    if max_age is not None:
        max_age = _seconds(max_age)
        if expires is None and sync_expires:
            expires = time.time() + max_age
    cookie = f"{_cookie_name(key)}={_cookie_quote(value)}"
    settings = _cookie_settings(secure, httponly, path, samesite, partitioned)
    folded = key.lower()
    if (folded.startswith(("__host-", "__secure-"))
            and "; Secure" not in settings
            or folded.startswith("__host-") and (domain or path != "/")):
        raise ValueError(f"The name {key!r} asks for secure=True; and __Host-"
                         " for path='/' and no domain as well.")
    if domain:
        domain = _encode_idna(domain.partition(":")[0].lstrip("."))
        cookie += _cookie_attribute("Domain", domain or None)
    if expires is not None:
        if not isinstance(expires, str):
            expires = http_date(expires)
        cookie += _cookie_attribute("Expires", expires)
    if max_age is not None:
        cookie += f"; Max-Age={max_age}"
    cookie += settings
    if max_size and len(cookie) > max_size:
        warnings.warn(
            f"The {key!r} cookie is too large, {len(cookie)} bytes: browsers"
            f" may ignore more than {max_size}.", stacklevel=2)
    return cookie


def quote_etag(etag: str, weak: bool = False) -> str:
    """Return an entity tag as a header has it: "x" or W/"x"."""
    if '"' in etag:
        raise ValueError(f"An entity tag has no quotes inside: {etag!r}.")
    return f'W/"{etag}"' if weak else f'"{etag}"'


def unquote_etag(etag: str | None) -> tuple[str | None, bool | None]:
    """Return an entity tag without quotes, and whether it is weak."""
    if not etag:
        return None, None
    weak = etag[:2] in ("W/", "w/")
    tag = etag[2:] if weak else etag
    return tag[1:-1] if tag[:1] == tag[-1:] == '"' else tag, weak


def generate_etag(data: bytes) -> str:
    """Return an entity tag made of the data."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


# =============================================================================
# 4. HTTP errors
# =============================================================================
#
# The need for an error page is found deep inside a program, so each status of
# failure is an exception class: raise it, and whoever runs the view answers.
# `code=` enters a class for `abort(404)`; its docstring is what visitors read.
# The page is a Response, which is written far below.  This is the knot:
# `response_class` is empty here and tied right under that class.
# Left out: NotImplemented would hide Python's constant in this file; 501 is
# MethodNotImplemented.  (RFC 9110 section 15, RFC 6585, RFC 7725)

default_exceptions: dict = {}


def _paragraph(text):
    return f"<p>{escape_silent(text)}</p>".replace("\n", "<br>")


# Of the classes there are few: whoever looks for holes is told the same.
_kept_paragraph = functools.lru_cache(maxsize=64)(_paragraph)


class HTTPException(Exception):
    """An error with a status code, which is also the WSGI app of its page."""

    code: Any = None
    description: Any = None
    response_class: Any = None
    _own_headers: Any = tuple  # A subclass has a method that gives pairs.
    name = property(
        lambda self: HTTP_STATUS_CODES.get(self.code, "Unknown Error"),
        doc='Return the reason phrase, such as "Not Found".')

    def __init_subclass__(cls, code: int | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.code, cls.description = code, cls.__doc__ or ""  # "": -OO.
            default_exceptions.setdefault(code, cls)

    def __init__(self, description: Any = None, response: Any = None) -> None:
        super().__init__()
        if description is not None:
            self.description = description
        self.response = response

    def get_description(self, environ: Any = None, scope: Any = None) -> str:
        """Return the description as an HTML paragraph."""
        text = self.description
        is_own = "description" in vars(self) or type(text) is not str
        return _paragraph(text) if is_own else _kept_paragraph(text)

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """Return the HTML page."""
        name = escape(self.name)
        return (f"<!doctype html>\n<html lang=en>\n<title>{self.code} {name}"
                f"</title>\n<h1>{name}</h1>\n"
                f"{self.get_description(environ)}\n")

    def get_headers(self, environ: Any = None, scope: Any = None) -> list:
        """Return the headers of the page as (name, value) pairs."""
        page_type = ("Content-Type", "text/html; charset=utf-8")
        return [page_type, *self._own_headers()]

    def get_response(self, environ: Any = None, scope: Any = None) -> Any:
        """Return the response given to the error, or its page as a new one."""
        if self.response is not None:
            return self.response
        environ = getattr(environ, "environ", environ)  # It may be a request.
        return self.response_class(
            self.get_body(environ), self.code, self.get_headers(environ))

    def __call__(self, environ: dict, start_response: Any) -> Any:
        return self.get_response(environ)(environ, start_response)

    def __str__(self) -> str:
        return f"{self.code or '???'} {self.name}: {self.description}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.code or '???'}: {self.name}'>"


class BadRequest(HTTPException, code=400):
    """The server cannot make sense of this request."""
class ClientDisconnected(BadRequest):
    """A client that went away before its request was complete."""
class SecurityError(BadRequest):
    """A request that breaks a rule of security."""
class BadHost(BadRequest):
    """A Host header that names no host."""
class Forbidden(HTTPException, code=403):
    """You are not allowed to see this."""
class NotFound(HTTPException, code=404):
    """There is nothing at this address. Is it spelled correctly?"""
class NotAcceptable(HTTPException, code=406):
    """There is no version of this page that your client accepts."""
class RequestTimeout(HTTPException, code=408):
    """The request took too long to arrive."""
class Conflict(HTTPException, code=409):
    """The request conflicts with the present state of what it would change."""
class Gone(HTTPException, code=410):
    """What was once at this address is gone for good."""
class LengthRequired(HTTPException, code=411):
    """The request must say how long its body is."""
class PreconditionFailed(HTTPException, code=412):
    """A condition that the request named does not hold."""
class RequestEntityTooLarge(HTTPException, code=413):
    """The request is larger than this server accepts."""
class RequestURITooLarge(HTTPException, code=414):
    """The address is longer than this server accepts."""
class UnsupportedMediaType(HTTPException, code=415):
    """The server cannot read a body of this media type."""
class ExpectationFailed(HTTPException, code=417):
    """The server cannot do what the Expect header demands."""
class ImATeapot(HTTPException, code=418):
    """This is a teapot. It will not brew coffee."""
class MisdirectedRequest(HTTPException, code=421):
    """This server does not answer for the host that was asked."""
class UnprocessableEntity(HTTPException, code=422):
    """The request is well formed, but what it says cannot be done."""
class Locked(HTTPException, code=423):
    """What the request would use is locked."""
class FailedDependency(HTTPException, code=424):
    """An action that this request depends on has failed."""
class PreconditionRequired(HTTPException, code=428):
    """The request must carry a condition, such as If-Match."""
class RequestHeaderFieldsTooLarge(HTTPException, code=431):
    """The headers of the request are larger than this server accepts."""
class UnavailableForLegalReasons(HTTPException, code=451):
    """The law forbids this server to show what is here."""
class MethodNotImplemented(HTTPException, code=501):
    """The server does not know how to do this."""
class BadGateway(HTTPException, code=502):
    """A server behind this one gave an answer that makes no sense."""
class GatewayTimeout(HTTPException, code=504):
    """A server behind this one did not answer in time."""
class HTTPVersionNotSupported(HTTPException, code=505):
    """The server does not speak this version of HTTP."""


class BadRequestKeyError(BadRequest, KeyError):
    """A missing key of what a client sent: a KeyError that answers 400."""

    show_exception = False  # True names the key on the page.
    _description = BadRequest.description

    def __init__(self, arg: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.args = () if arg is None else (arg,)

    def _explain(self) -> Any:
        if self.show_exception:
            return f"{self._description}\nKeyError: {KeyError.__str__(self)}"
        return self._description

    description = property(
        _explain, lambda self, text: setattr(self, "_description", text))


def _several(values: Any) -> Any:
    return values if isinstance(values, (list, tuple, set)) else (values,)


class Unauthorized(HTTPException, code=401):
    """You have to say who you are before you may see this."""

    def __init__(self, description=None, response=None, www_authenticate=None):
        super().__init__(description, response)
        self.www_authenticate = www_authenticate

    def _own_headers(self):
        return [("WWW-Authenticate", str(value))
                for value in _several(self.www_authenticate or ())]


class MethodNotAllowed(HTTPException, code=405):
    """What is at this address does not know that method."""

    def __init__(self, valid_methods=None, description=None, response=None):
        super().__init__(description, response)
        self.valid_methods = valid_methods

    def _own_headers(self):
        if self.valid_methods:
            yield "Allow", ", ".join(self.valid_methods)


class RequestedRangeNotSatisfiable(HTTPException, code=416):
    """The range that was asked for lies outside of the content."""

    def __init__(self, length=None, units="bytes", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.length, self.units = length, units

    def _own_headers(self):
        if self.length is not None:
            yield "Content-Range", f"{self.units} */{self.length}"


class _RetryAfter(HTTPException):
    def __init__(self, description=None, response=None, retry_after=None):
        super().__init__(description, response)
        self.retry_after = retry_after  # Seconds or a datetime.

    def _own_headers(self):
        to_text = http_date if isinstance(self.retry_after, datetime) else str
        if self.retry_after:
            yield "Retry-After", to_text(self.retry_after)


class TooManyRequests(_RetryAfter, code=429):
    """Too many requests came from you in a short time. Try again later."""
class ServiceUnavailable(_RetryAfter, code=503):
    """The server is busy or under repair. Try again later."""


class InternalServerError(HTTPException, code=500):
    """Something went wrong on the server. The fault is not yours."""

    def __init__(self, description: Any = None, response: Any = None,
                 original_exception: BaseException | None = None) -> None:
        super().__init__(description, response)
        self.original_exception = original_exception


class Aborter:
    """Raise the error of a status code, from a mapping of codes to classes."""

    def __init__(self, mapping: Any = None, extra: Any = None) -> None:
        self.mapping = dict(default_exceptions if mapping is None else mapping)
        self.mapping.update(extra or {})

    def __call__(self, code: Any, *args: Any, **kwargs: Any) -> NoReturn:
        if callable(code):  # A response is a WSGI app, a status is not.
            raise HTTPException(response=code)
        if code not in self.mapping:
            raise LookupError(
                f"{code!r} is neither an error status nor a response")
        raise self.mapping[code](*args, **kwargs)


# =============================================================================
# 5. Dictionaries with repeated keys
# =============================================================================
#
# `?tag=a&tag=b` gives two values to one name, and so can forms and cookies.
# A MultiDict is a dict of lists that behaves like a dict of first values:
# `d["tag"]` is "a", `d.getlist("tag")` is ["a", "b"].  What a client sent is
# immutable, so that nobody downstream sees a request that never was.
# The methods of dict and list that write are replaced in loops: by one that
# refuses in the immutable classes, by one that reports in CallbackDict.
# Left out: OrderedMultiDict, TypeConversionDict, FileMultiDict; use MultiDict.


def iter_multi_items(mapping: Any) -> Any:
    """Iterate over all pairs; a list, tuple or set stands for its items."""
    if not hasattr(mapping, "items"):
        return iter(mapping)
    if isinstance(mapping, MultiDict):
        return mapping.items(multi=True)
    return ((key, value) for key, values in mapping.items()
            for value in _several(values))


def _values_by_key(mapping: Any) -> dict:
    """Return the values of each key."""
    pairs = [*iter_multi_items(mapping)]
    lists = {key: [value] for key, value in pairs}
    if len(lists) < len(pairs):     # A key came again.
        lists = {}
        for key, value in pairs:
            lists.setdefault(key, []).append(value)
    return lists


def _converted(values: Any, type: Any) -> Any:
    for value in values:
        try:
            yield value if type is None else type(value)
        except (ValueError, TypeError):
            pass


class _Repeated:
    """What MultiDict and Headers share; `_find` gives the first value."""

    def __getitem__(self: Any, key: Any) -> Any:
        value = self._find(key)
        if value is _missing:
            raise BadRequestKeyError(key)
        return value

    def get(self: Any, key: Any, default: Any = None, type: Any = None) -> Any:
        """Return `type(first value)`, or the default if that fails."""
        value = self._find(key)
        if value is _missing or type is None:
            return default if value is _missing else value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default

    def setdefault(self: Any, key: Any, default: Any = None) -> Any:
        """Return the first value of a key, which is set if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def __or__(self: Any, other: Any) -> Any:
        if not isinstance(other, Mapping):
            return NotImplemented
        both = self.copy()
        both.update(other)
        return both

    def __ior__(self: Any, other: Any) -> Any:
        self.update(other)
        return self

    def values(self: Any) -> Any:
        """Yield the values of the items."""
        return (value for _, value in self.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(iter_multi_items(self))!r})"


class MultiDict(_Repeated, dict):
    """A dict that keeps all values of a key and shows the first."""

    deepcopy: Any = copy.deepcopy
    listvalues: Any = dict.values
    popitemlist: Any = dict.popitem

    def __init__(self, mapping: Any = None) -> None:
        dict.__init__(self, _values_by_key(mapping) if mapping else ())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.to_dict(flat=False),)

    def _find(self, key: Any) -> Any:
        values = dict.get(self, key)
        return values[0] if values else _missing

    def __iter__(self) -> Any:
        # Without an __iter__ of its own, dict(d) and {**d} copy the lists.
        return iter(self.keys())

    def __setitem__(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, [value])

    def getlist(self, key: Any, type: Any = None) -> list:
        """Return all values of a key, without those that `type` refuses."""
        return list(_converted(dict.get(self, key, ()), type))

    def add(self, key: Any, value: Any) -> None:
        """Append a value to those of a key."""
        dict.setdefault(self, key, []).append(value)

    def setlist(self, key: Any, new_list: Any) -> None:
        """Replace all values of a key."""
        dict.__setitem__(self, key, list(new_list))

    def setlistdefault(self, key: Any, default_list: Any = None) -> list:
        """Return the list itself of a key, which is set if it is missing."""
        return dict.setdefault(self, key, list(default_list or ()))

    def items(self, multi: bool = False) -> Any:
        """Yield (key, first value) pairs, with `multi` one for each value."""
        for key, values in super().items():
            for value in values if multi else values[:1]:
                yield key, value

    def lists(self) -> Any:
        """Yield (key, list of values) pairs."""
        return ((key, list(values)) for key, values in super().items())

    def copy(self) -> Any:
        """Return a copy with lists of its own."""
        return type(self)(self)

    def to_dict(self, flat: bool = True) -> dict:
        """Return a dict of the first values, or of lists if not `flat`."""
        return dict(self.items() if flat else self.lists())

    def update(self, mapping: Any = (), /, **values: Any) -> None:
        """Add the values of a mapping or of pairs to those that are there."""
        for source in (mapping, values):
            for key, several in _values_by_key(source).items():
                dict.setdefault(self, key, []).extend(several)

    def pop(self, key: Any, default: Any = _missing) -> Any:
        """Remove a key and return its first value."""
        values = self.poplist(key)
        if not values and default is _missing:
            raise BadRequestKeyError(key)
        return values[0] if values else default

    def poplist(self, key: Any) -> list:
        """Remove a key, if it is there, and return its values."""
        return super().pop(key, [])

    def popitem(self) -> Any:
        """Remove the last key and return it with its first value."""
        key, values = super().popitem()
        return key, values[0]


def _refuse(self: Any, *args: Any, **options: Any) -> None:
    raise TypeError(f"{type(self).__name__!r} objects are immutable")


class _Immutable:
    """What a class inherits first, so that its objects cannot be changed."""

    def __init_subclass__(cls) -> None:
        for name in """__setitem__ __delitem__ __ior__ __iadd__ __imul__ add
                add_header append clear extend insert pop popitem popitemlist
                poplist remove reverse set setdefault setlist setlistdefault
                sort update""".split():
            if hasattr(cls, name) and name not in vars(cls):
                setattr(cls, name, _refuse)

    def _hash(self: Any) -> int:
        is_dict = isinstance(self, dict)
        return hash(frozenset(self.items()) if is_dict else tuple(self))

    __hash__: Any = _hash

    def __copy__(self) -> Any:
        return self

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return type(self), (self.copy(),)


class ImmutableList(_Immutable, list):
    """A list that cannot be changed and has a hash."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


class ImmutableDict(_Immutable, dict):
    """A dict that cannot be changed and has a hash; `copy()` gives a dict."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


class ImmutableMultiDict(_Immutable, MultiDict):
    """A MultiDict that cannot be changed and has a hash."""

    def copy(self) -> MultiDict:
        """Return a MultiDict, which can be changed."""
        return MultiDict(self)


class CombinedMultiDict(ImmutableMultiDict):
    """All that several MultiDicts hold, with the values of the first first."""

    def __init__(self, dicts: Any = None) -> None:
        super().__init__()
        for each in dicts or ():
            MultiDict.update(self, each)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), ([self.copy()],)


class CallbackDict(dict):
    """A dict that calls `on_update(self)` after each change."""

    on_update: Any = None  # Missing while pickle fills the dict.

    def __init__(self, initial: Any = None, on_update: Any = None) -> None:
        super().__init__(() if initial is None else initial)
        self.on_update = on_update

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"


def _reporting(method: Any) -> Any:
    def report(self: Any, *args: Any, **values: Any) -> Any:
        size = len(self)
        result = method(self, *args, **values)
        looks = method in (dict.pop, dict.setdefault) and len(self) == size
        if self.on_update is not None and not looks:
            self.on_update(self)
        return result
    return functools.wraps(method)(report)


for _method in (dict.__setitem__, dict.__delitem__, dict.__ior__, dict.clear,
                dict.pop, dict.popitem, dict.setdefault, dict.update):
    setattr(CallbackDict, _method.__name__, _reporting(_method))


def parse_cookie(header: Any, cls: Any = None) -> Any:
    """Return the cookies of a Cookie header, or of an environ, by name."""
    if isinstance(header, dict):
        header = header.get("HTTP_COOKIE")
    return (cls or MultiDict)(header and _cookie_pairs(_from_wsgi(header)))


# =============================================================================
# 6. Headers
# =============================================================================
#
# The head of a message is a list of (name, value) pairs.  The order counts, a
# name may come twice (Set-Cookie), and its case means nothing.  A dozen pairs
# are found faster by walking along the list than by an index.
# Each pair that enters goes through `_pair`, and so through the one guard of
# section 3: a line end in a name or value would begin a header of its own.
# WSGI keeps the headers of a request in the environ, as HTTP_ACCEPT and so on;
# EnvironHeaders is a view of them.  (RFC 9110 section 5, PEP 3333)

_BODY_KEYS = ("CONTENT_TYPE", "CONTENT_LENGTH")


def _pair(name: str, value: Any, options: Any = None) -> Any:
    if options:
        value = dump_options_header(value, {
            key.replace("_", "-"): option for key, option in options.items()})
    name = _head_text(name, "header name")
    if type(value) is str and value.isascii() and value.isprintable():
        return name, value
    iri = name.lower() in ("location", "content-location")
    return name, _head_text(value, "location" if iri else "header value")


class Headers(_Repeated):
    """A list of (name, value) pairs that is also a dict without case."""

    def __init__(self, defaults: Any = None) -> None:
        self._list: list = [] if defaults is None else [
            _pair(key, value) for key, value in iter_multi_items(defaults)]

    @classmethod
    def _of(cls, pairs: list) -> Any:
        """Wrap a list of checked pairs, which is not copied."""
        headers = cls.__new__(cls)
        headers._list = pairs
        return headers

    def _find(self, key: str) -> Any:
        folded = key.lower()
        for name, value in self._list:
            if name.lower() == folded:
                return value
        return _missing

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        found = list(self)[key]
        return Headers._of(found) if isinstance(key, slice) else found

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self.set(key, value)
        elif isinstance(key, slice):
            self._list[key] = [_pair(*pair) for pair in value]
        else:
            self._list[key] = _pair(*value)

    def __contains__(self, key: Any) -> bool:
        return self._find(key) is not _missing

    def __iter__(self) -> Any:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    def __eq__(self, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return set(self.items(lower=True)) == set(other.items(lower=True))

    def getlist(self, key: str, type: Any = None) -> list:
        """Return all values of a name, without those that `type` refuses."""
        folded = key.lower()
        return list(_converted(
            [value for name, value in self if name.lower() == folded], type))

    def items(self, lower: bool = False) -> Any:
        """Yield the pairs, with lower-case names if asked."""
        return ((name.lower() if lower else name, value)
                for name, value in self)

    def keys(self, lower: bool = False) -> Any:
        """Yield the names, in lower case if asked."""
        return (name for name, _ in self.items(lower))

    def add(self, key: str, value: Any, /, **options: Any) -> None:
        """Append a header; options such as filename="a" become parameters."""
        self._list.append(_pair(key, value, options))

    def set(self, key: str, value: Any, /, **options: Any) -> None:
        """Replace all headers of a name by one; options as for `add`."""
        self._replace(key, [_pair(key, value, options)])

    def setlist(self, key: str, values: Any) -> None:
        """Replace all headers of a name by one for each value."""
        self._replace(key, [_pair(key, value) for value in values])

    def _replace(self, key: str, pairs: list) -> None:
        """Put the first pair in the place of a name, the others at the end."""
        folded, headers = key.lower(), self._list
        first = len(headers)
        for index in range(first - 1, -1, -1):
            if headers[index][0].lower() == folded:
                del headers[index]
                first = index
        headers[first:first] = pairs[:1]
        headers += pairs[1:]

    def setlistdefault(self, key: str, default: Any) -> list:
        """Return the values of a name, which are set if it is missing."""
        if key not in self:
            self.setlist(key, default)
        return self.getlist(key)

    def extend(self, arg: Any = None, /, **values: Any) -> None:
        """Append headers from a mapping or from pairs."""
        self._list += [_pair(key, value)
                       for key, value in iter_multi_items(arg or ())]
        if values:
            self.extend(values)

    def update(self, arg: Any = None, /, **values: Any) -> None:
        """Replace headers by those of a mapping or of pairs."""
        if hasattr(arg, "getlist"):
            arg = {key: arg.getlist(key) for key in arg.keys()}
        for key, value in (*dict(arg or ()).items(), *values.items()):
            self.setlist(key, _several(value))

    def remove(self, key: Any) -> None:
        """Remove all headers of a name, or those at an index or slice."""
        if isinstance(key, str):
            self._replace(key, [])
        else:
            del self._list[key]

    def pop(self, key: Any = -1, default: Any = _missing) -> Any:
        """Remove a name and return its first value, or remove by index."""
        if isinstance(key, int):
            return self._list.pop(key)
        value = self[key] if default is _missing else self.get(key, default)
        self.remove(key)
        return value

    def clear(self) -> None:
        """Remove all headers."""
        self._list.clear()

    def to_wsgi_list(self) -> list:
        """Return the pairs as a new list."""
        return [*self._list]

    def copy(self) -> Any:
        """Return a copy, which can be changed."""
        return Headers._of(list(self))

    # Other names for the same, some of them as in wsgiref.headers.
    __copy__, __delitem__, popitem = copy, remove, pop
    add_header, get_all = add, getlist

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self) + "\r\n"


class EnvironHeaders(_Immutable, Headers):
    """A view of the headers in a WSGI environ; it cannot change them."""

    def __init__(self, environ: dict) -> None:
        self.environ = environ

    def _find(self, key: Any) -> Any:
        key = str(key).upper().replace("-", "_")
        if key in _BODY_KEYS:  # An empty one is as good as none (PEP 3333).
            return self.environ.get(key, "").strip(" \t") or _missing
        value = self.environ.get("HTTP_" + key, _missing)
        return value if value is _missing else value.strip(" \t")

    def __iter__(self) -> Any:
        for key, value in list(self.environ.items()):
            line = key.startswith("HTTP_") and key[5:] not in _BODY_KEYS
            if line or (key in _BODY_KEYS and value):
                name = key[5:] if line else key
                yield name.replace("_", "-").title(), value.strip(" \t")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def to_wsgi_list(self) -> list:
        """Return the pairs as a new list."""
        return list(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.environ,)

    def __eq__(self, other: Any) -> Any:
        return isinstance(other, EnvironHeaders) and (
            self.environ is other.environ)


class HeaderSet(MutableSet):
    """The words of a header such as Vary: ordered, without case."""

    def __init__(self, headers: Any = None, on_update: Any = None) -> None:
        self._words = {word.lower(): word for word in headers or ()}
        self.on_update = on_update

    def _changed(self) -> None:
        if self.on_update is not None:
            self.on_update(self)

    def add(self, header: str) -> None:
        """Add a word, unless it is there."""
        self.update((header,))

    def update(self, iterable: Any) -> None:
        """Add the words that are not there."""
        words = self._words
        size = len(words)
        for word in iterable:
            words.setdefault(word.lower(), word)
        if len(words) > size:
            self._changed()

    def discard(self, header: str) -> None:
        """Remove a word, if it is there."""
        if self._words.pop(header.lower(), None) is not None:
            self._changed()

    def clear(self) -> None:
        """Remove all words."""
        self._words.clear()
        self._changed()

    def find(self, header: str) -> int:
        """Return the index of a word, or -1."""
        return self.index(header) if header in self else -1

    def index(self, header: str) -> int:
        """Return the index of a word, or raise an IndexError."""
        if header not in self:
            raise IndexError(header)
        return list(self._words).index(header.lower())

    def as_set(self, preserve_casing: bool = False) -> set:
        """Return a set of the words, in lower case unless told otherwise."""
        return set(self if preserve_casing else self._words)

    def to_header(self) -> str:
        """Return the words as a header value."""
        return dump_header(self)

    __str__ = to_header

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __contains__(self, header: Any) -> bool:
        return header.lower() in self._words

    def __iter__(self) -> Any:
        return iter(self._words.values())

    def __len__(self) -> int:
        return len(self._words)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


def parse_set_header(value: str | None, on_update: Any = None) -> HeaderSet:
    """Return the HeaderSet of a header value."""
    return HeaderSet(value and parse_list_header(value), on_update)


# =============================================================================
# 7. Negotiation, caching, ranges, credentials
# =============================================================================
#
# Some headers hold a little language.  Each gets a class that answers
# questions: `parse_..._header` reads the text, `str` or `to_header` writes it.
#
#   Accept: text/html, */*;q=0.5     which of our formats does the client like
#   Cache-Control: max-age=60        who may keep the answer, and how long
#   If-None-Match: "v1", W/"v2"      send it only if it is not one of these
#   Range: bytes=0-99                send only this part
#   Authorization: Basic YTpi        who is asking
#
# What can't be read counts as absent, several ranges as none.  RFC 9110, 9111

class _HeaderText:
    __str__ = dump_header

    def to_header(self) -> str:
        """Return the text of the header."""
        return str(self)


def _specificity(value):
    return [part != "*" for part in re.split("[/;]", value)]


class Accept(_HeaderText, ImmutableList):
    """Pairs (value, quality), the most specific first; [value]: a quality."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__(sorted(values or (), reverse=True, key=lambda pair: (
            _specificity(pair[0]), pair[1])))

    def _value_matches(self, value, item):
        # For charsets and languages: UTF8 is utf-8, en_us is en-US.
        plain, wanted = [re.sub("[-_]", "", text.lower())
                         for text in (value, item)]
        return wanted in ("*", plain)

    def find(self, key: str) -> int:
        """Return the index of what matches a value, or -1."""
        return next((index for index, item in enumerate(self.values())
                     if self._value_matches(key, item)), -1)

    def index(self, key: Any, *_: Any) -> int:
        """Return the index of what matches a value, or raise ValueError."""
        if key not in self:
            raise ValueError(f"{key!r} is not in {self!r}")
        return self.find(key)

    def __contains__(self, value: Any) -> bool:
        return self.find(value) >= 0

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._found(key)[1]
        return super().__getitem__(key)

    quality = __getitem__

    def _found(self, value):
        return [*self, ("", 0)][self.find(value)]   # If it is -1: the last.

    def values(self) -> Any:
        """Yield the values, without their qualities."""
        return (value for value, _ in self)

    def __str__(self) -> str:
        return ",".join(value if quality == 1 else f"{value};q={quality}"
                        for value, quality in self)

    best = property(lambda self: next(self.values(), None),
                    doc="Return the value that stands first, or None.")

    def best_match(self, matches: Any, default: Any = None) -> Any:
        """Return the one of `matches` that the client likes best."""
        best: Any = (0, [])
        for match in matches:
            item, quality = self._found(match)
            rank = quality, _specificity(item)
            if quality > 0 and rank > best:
                default, best = match, rank
        return default


class MIMEAccept(Accept):
    """The media types of an `Accept` header."""

    accept_json = property(lambda self: "application/json" in self)
    accept_xhtml = property(lambda self: "application/xhtml+xml" in self
                            or "application/xml" in self)
    accept_html = property(
        lambda self: "text/html" in self or self.accept_xhtml)

    def _value_matches(self, value, item):
        (main, sub, given), (asked_main, asked_sub, asked) = map(
            _media_parts, (value, item))
        if not asked_sub or asked_main == "*" != asked_sub:
            return False
        if not sub or main == "*" != sub:
            raise ValueError(f"{value!r} is no media type: write type/subtype")
        return "*" in (main, asked_main) or main == asked_main and (
            "*" in (sub, asked_sub) or (sub, given) == (asked_sub, asked))


def _media_parts(text):
    kind, *parameters = [part.strip() for part in text.lower().split(";")]
    main, _, sub = kind.partition("/")
    return main, sub, sorted(parameters)


class LanguageAccept(Accept):
    """The languages of an `Accept-Language` header; `en_us` is `en-US`."""

    def best_match(self, matches: Any, default: Any = None) -> Any:
        """Return the best of `matches`; `en` and `en-US` may swap places."""
        matches = list(matches)
        short = [re.split("[_-]", match)[0] for match in matches]
        wide = Accept([(re.split("[_-]", item)[0], q) for item, q in self])
        found = super().best_match(short)
        return (super().best_match(matches) or wide.best_match(matches)
                or (matches[short.index(found)] if found else default))


class CharsetAccept(Accept):
    """The names of an `Accept-Charset` header; `UTF8` is `utf-8`."""


def parse_accept_header(value: str | None, cls: Any = None) -> Any:
    """Read an Accept header; a quality that is not 0 to 1 drops its value."""
    pairs = []
    for member in parse_list_header(value or ""):
        item, options = parse_options_header(member)
        quality = options.pop("q", None)
        if re.fullmatch(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?", quality or "1"):
            pairs.append((dump_options_header(item, options),
                          1 if quality is None else float(quality)))
    return (cls or Accept)(pairs)


def cache_control_property(key: str, empty: Any, type: Any) -> Any:
    """Return a property for a directive; alone, its name means `empty`."""
    def read(self):
        if type is bool:
            return key in self
        value = self.get(key)
        if value is None:
            return empty if key in self else None
        return _number(value) if type is int else value

    def write(self, value):
        value = bool(value) if type is bool else value
        if value is None or value is False:
            self.pop(key, None)
        else:
            self[key] = (None if value is True else
                         value if type is None else str(type(value)))
    return property(read, write, lambda self: write(self, None))


class _CacheControl(_HeaderText):
    cache_property = staticmethod(cache_control_property)

    def __init__(self: Any, values: Any = (), on_update: Any = None) -> None:
        dict.__init__(self, values or ())
        self.on_update = on_update


class RequestCacheControl(_CacheControl, ImmutableDict):
    """What the client asks of caches: `max_age`, `no_cache`, ..."""


class ResponseCacheControl(_CacheControl, CallbackDict):
    """What we ask of caches: `max_age`, `private`, ...; calls `on_update`."""


class ContentSecurityPolicy(_HeaderText, CallbackDict):
    """What a page may load from where: `csp.script_src = "'self'"`."""

    def __str__(self) -> str:
        return "; ".join(f"{key} {value or ''}".strip()
                         for key, value in self.items())


class ContentRange(_HeaderText, CallbackDict):
    """The part that is sent, `stop` excluded; a change calls `on_update`."""

    units, start, stop, length = [
        cache_control_property(name, None, None)
        for name in ("units", "start", "stop", "length")]
    unset = CallbackDict.clear

    def __init__(self, units, start, stop, length=None, on_update=None):
        self.set(start, stop, length, units)
        self.on_update = on_update

    def set(self, start: int | None, stop: int | None,
            length: int | None = None, units: str | None = "bytes") -> None:
        """Change all at once."""
        self.update(units=units, start=start, stop=stop, length=length)

    def __bool__(self) -> bool:
        return self.units is not None

    def __str__(self) -> str:
        part = "*" if self.stop is None else f"{self.start}-{self.stop - 1}"
        length = "*" if self.length is None else self.length
        return f"{self.units} {part}/{length}" if self else ""


for _class, _empty, _type, _names in (
        (RequestCacheControl, None, int, "max-age min-fresh stale-if-error"),
        (RequestCacheControl, True, int, "max-stale"),
        (RequestCacheControl, True, bool,
         "no-cache no-store no-transform only-if-cached"),
        (ResponseCacheControl, True, str, "no-cache private"),
        (ResponseCacheControl, None, int,
         "max-age s-maxage stale-if-error stale-while-revalidate"),
        (ResponseCacheControl, True, bool,
         "immutable must-revalidate must-understand no-store no-transform"
         " proxy-revalidate public"),
        (ContentSecurityPolicy, True, str,
         "base-uri child-src connect-src default-src font-src form-action"
         " frame-ancestors frame-src img-src manifest-src media-src"
         " navigate-to object-src prefetch-src plugin-types report-to"
         " report-uri sandbox script-src script-src-attr script-src-elem"
         " style-src style-src-attr style-src-elem worker-src")):
    for _name in _names.split():
        setattr(_class, _name.replace("-", "_"),
                cache_control_property(_name, _empty, _type))


def parse_cache_control_header(value: str | None, on_update: Any = None,
                               cls: Any = None) -> Any:
    """Read a Cache-Control header, by default one of a request."""
    make = cls or RequestCacheControl
    return make(parse_dict_header(value or ""), on_update)


def parse_csp_header(value: str | None, on_update: Any = None,
                     cls: Any = None) -> Any:
    """Read a Content-Security-Policy header."""
    rules = [rule.strip().partition(" ") for rule in (value or "").split(";")]
    return (cls or ContentSecurityPolicy)(
        {name: text.strip() for name, _, text in rules if name}, on_update)


# The values of Cross-Origin-Embedder-Policy and Cross-Origin-Opener-Policy.
COEP = enum.Enum("COEP", {
    "UNSAFE_NONE": "unsafe-none", "REQUIRE_CORP": "require-corp"})
COOP = enum.Enum("COOP", {
    "UNSAFE_NONE": "unsafe-none", "SAME_ORIGIN": "same-origin",
    "SAME_ORIGIN_ALLOW_POPUPS": "same-origin-allow-popups"})


class ETags(collections.namedtuple(
        "ETags", "strong weak star_tag", defaults=((), (), False))):
    """A set of entity tags, without their quotes; `*` contains every tag."""

    def __contains__(self, etag: object) -> bool:
        return self.star_tag or etag in self.strong

    def contains_weak(self, etag: str | None) -> bool:
        """Tell whether the tag matches, weak ones included."""
        return etag in self.weak or etag in self

    def __bool__(self) -> bool:
        return any(self)


# A tag, or what is none, up to the next comma.
_ETAG_RE = _Regex(
    r'[ \t]*([Ww]/)?("[^"]*"|[^",\s]+)[ \t]*(?:,|\Z)|[^,]*(?:,|\Z)', re.ASCII)


def parse_etags(value: str | None) -> ETags:
    """Read If-Match or If-None-Match: `*`, or a list of tags."""
    tags: Any = ([], [])
    for weak, tag in _ETAG_RE.findall(value or ""):
        if tag:
            tags[bool(weak)].append(tag.strip('"'))
    star_tag = (value or "").strip(" \t") == "*"
    return ETags(tags[False], tags[True], star_tag)


class Range(collections.namedtuple("Range", "units ranges")):
    """Parts: 0-99 is (0, 100), 5- is (5, None), -9 is (-9, None)."""

    def range_for_length(self, length: int | None) -> tuple[int, int] | None:
        """Return (start, stop) for a single range of bytes, or None."""
        if self.units != "bytes" or length is None or len(self.ranges) != 1:
            return None
        start, stop, _ = slice(*self.ranges[0]).indices(length)
        return (start, stop) if start < stop else None

    def make_content_range(self, length: int | None) -> ContentRange | None:
        """Return the ContentRange of a single range of bytes, or None."""
        part = self.range_for_length(length)
        return part and ContentRange(self.units, *part, length)

    def to_content_range_header(self, length: int | None) -> str | None:
        """Return the text of `make_content_range`, or None."""
        part = self.make_content_range(length)
        return None if part is None else part.to_header()


def parse_range_header(value: str | None) -> Range | None:
    """Read a Range header; None if it is missing or malformed."""
    units, _, text = (value or "").partition("=")
    ranges: list[Any] = []
    for member in text.split(","):
        found = re.fullmatch("([0-9]{0,19})-([0-9]*)", member.strip(" \t"))
        start, last = map(_number, found.groups()) if found else (None, None)
        if start is None and last is not None:
            # (0, 0) is "-0", the last no bytes: good grammar, never there.
            ranges.append((-last, None) if last else (0, 0))
        elif start is None or last is not None and last < start:
            return None
        else:
            ranges.append((start, None if last is None else last + 1))
    return Range(units.strip(" \t").lower(), ranges)


def parse_if_range_header(value: str | None) -> Any:
    """Read an If-Range header: one of `etag` and `date` is set, or none."""
    date = parse_date(value)
    etag = None if date is not None else unquote_etag(value)[0]
    return types.SimpleNamespace(etag=etag, date=date)


def parse_content_range_header(value: str | None,
                               on_update: Any = None) -> ContentRange | None:
    """Read a Content-Range header; None if it is missing or malformed."""
    found = re.fullmatch(r"([^ ]+) (?:\*|([0-9]+)-([0-9]+))/(?:\*|([0-9]+))",
                         (value or "").strip(" \t"))
    if found is None:
        return None
    start, last, length = map(_number, found.groups()[1:])
    return ContentRange(found[1], start, None if last is None else last + 1,
                        length, on_update)


def _precondition(environ, etag, last_modified):
    """Return 412, 304 or, if the request may go on, None (RFC 9110 13.2.2)."""
    tag, weak = unquote_etag(etag)

    def unchanged_since(name):
        date = parse_date(environ.get(name))
        then = date and parse_date(last_modified)
        return then <= date if date and then else None

    match, none_match = map(
        environ.get, ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"))
    may_go_on = ((None if weak else tag) in parse_etags(match) if match
                 else unchanged_since("HTTP_IF_UNMODIFIED_SINCE"))
    if may_go_on is False:
        return 412
    is_known = (parse_etags(none_match).contains_weak(tag) if none_match
                else unchanged_since("HTTP_IF_MODIFIED_SINCE"))
    return 304 if is_known else None


def _requested_range(environ, etag, last_modified, length):
    """Return the (start, stop) to send, None for all, or raise a 416."""
    wanted = parse_range_header(environ.get("HTTP_RANGE"))
    condition = environ.get("HTTP_IF_RANGE")
    if (not length or environ["REQUEST_METHOD"] != "GET" or wanted is None
            or wanted.units != "bytes" or len(wanted.ranges) != 1
            # A weak tag never promises the same bytes (RFC 9110 13.1.5).
            or condition and (condition[:2] == "W/" or condition not in (
                etag, last_modified))):
        return None
    part = wanted.range_for_length(length)
    if part is None:
        raise RequestedRangeNotSatisfiable(length)
    return part


class Authorization(_HeaderText):
    """Who asks: `username` and `password`, `parameters` or a `token`."""

    _encoded_type: str | None = "basic"

    def __init__(self, auth_type, data=None, token=None):
        self.type, self.token = auth_type.lower(), token
        self.parameters = dict(data or ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and (
            other.type == self.type and other.token == self.token
            and other.parameters == self.parameters)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @classmethod
    def from_header(cls, value: str | None) -> Any:
        """Read the header; None if it is missing or its base64 is wrong."""
        name, _, rest = (value or "").strip(" \t").partition(" ")
        name, rest = name.lower(), rest.strip(" \t")
        if name == cls._encoded_type:
            try:
                pair = base64.b64decode(rest, validate=True).decode()
            except ValueError:
                return None
            username, _, password = pair.partition(":")
            return cls(name, {"username": username, "password": password})
        if "=" in rest.rstrip("="):     # More than the padding of a token.
            return cls(name, parse_dict_header(rest))
        # A token may be "", as in `Bearer `: that is nobody.
        return cls(name, None, rest) if name else None

    def __str__(self) -> str:
        rest = self.token
        if self.type == self._encoded_type:
            pair = f"{self.username}:{self.password}"
            rest = base64.b64encode(pair.encode()).decode()
        elif rest is None:
            rest = dump_header(self.parameters)
        return f"{self.type.title()} {rest}".rstrip()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a parameter, or the default."""
        return self.parameters.get(key, default)

    __getitem__ = get

    def __contains__(self, key: str) -> bool:
        return key in self.parameters

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):   # Asked by copy and pickle, too early.
            raise AttributeError(name)
        return self.parameters.get(name)


class WWWAuthenticate(Authorization):
    """How to log in; a response hears of changes by `_on_update`."""

    _encoded_type = None
    _on_update: Any = None

    def __init__(self, auth_type, values=None, token=None):
        super().__init__(auth_type, values, token)

    parameters: Any = property(lambda self: CallbackDict(
        vars(self)["parameters"],
        lambda changed: setattr(self, "parameters", changed)))

    def __setitem__(self, key, value):
        parameters = {**self.parameters, key: value}
        if value is None:
            del parameters[key]
        self.parameters = parameters

    def __setattr__(self, name, value):
        if name not in ("type", "parameters", "token", "_on_update"):
            self[name] = value
            return
        # A copy, as the live dict would hold the challenge that holds it.
        vars(self)[name] = dict(value) if name == "parameters" else value
        if self._on_update is not None and name != "_on_update":
            self._on_update(self)

    def __str__(self) -> str:
        if self.type != "digest" or self.token is not None:
            return super().__str__()
        quoted = ("realm", "domain", "nonce", "opaque", "qop")
        return "Digest " + ", ".join(
            f"{key}={quote_header_value(value, key not in quoted)}"
            for key, value in self.parameters.items())


class UserAgent(str):
    """The User-Agent header as a `string`; a subclass may fill the rest."""

    platform = browser = version = language = None
    string = property(str)


# =============================================================================
# 8. WSGI plumbing
# =============================================================================
#
# A server calls `app(environ, start_response)`: the request is a dict, the
# head of the answer goes to a function, the body is what is returned (PEP
# 3333).  At this border a body must not be read past its end, which waits for
# ever; what an app returns is closed, once; and the host, which the client
# wrote, is checked.  `run_wsgi_app` is the other side: it plays the server.

class LimitedStream(io.RawIOBase):
    """A stream of `limit` bytes, or, with `is_max`, of that many at most."""

    def __init__(self, stream: Any, limit: int, is_max: bool = False) -> None:
        self._stream, self._left, self._is_max = stream, limit, is_max

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return how many bytes it got, 0 at the end."""
        data = self._take(min(len(buffer), self._left))
        buffer[:len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return the rest."""
        blocks = []
        while block := self._take(self._left):
            blocks.append(block)
        return b"".join(blocks)

    def _take(self, wanted):
        if not wanted and (self._left or not self._is_max):
            return b""
        try:
            # At the most that is allowed, one byte more tells if that is all.
            data = self._stream.read(wanted or 1)
        except (OSError, ValueError) as error:
            raise ClientDisconnected() from error
        if data and not wanted:
            raise RequestEntityTooLarge()
        if not data and not self._is_max:
            raise ClientDisconnected()
        self._left -= len(data)
        return data


def get_content_length(environ: Any) -> int | None:
    """Return the length of the body: None if unknown, 0 if it is junk."""
    length = environ.get("CONTENT_LENGTH")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if length is None or coding and "chunked" in parse_set_header(coding):
        return None
    return _number(length.strip(" \t")) or 0


def get_input_stream(environ: Any, safe_fallback: bool = True,
                     max_content_length: int | None = None) -> Any:
    """Return the body as a stream that ends; empty, if nobody knows where."""
    stream, length = environ["wsgi.input"], get_content_length(environ)
    limit = max_content_length
    if limit is not None and (length or 0) > limit:
        raise RequestEntityTooLarge()
    if not length and environ.get("wsgi.input_terminated"):
        return stream if limit is None else LimitedStream(stream, limit, True)
    if length is not None:
        return LimitedStream(stream, length)
    return io.BytesIO() if safe_fallback else stream


@functools.lru_cache(maxsize=64)
def _usual_host(host, scheme):
    """Return a host without the port that its scheme has anyway."""
    port = ":443" if scheme in ("https", "wss") else ":80"
    host = host.strip(" \t").removesuffix(port)
    if host and not _is_valid_host(host):
        raise BadHost(f"Host {host!r} is no host.")
    return host


def get_host(environ: Any, trusted_hosts: Any = None) -> str:
    """Return the host, and an unusual port; "" if unknown.  Bad ones: 400."""
    host = environ.get("HTTP_HOST")
    if host is None:
        host, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT")
        host = f"[{host}]" if ":" in host and host[0] != "[" else host
        host = f"{host}:{port}" if _number(port) else ""    # A Unix socket.
    host = _usual_host(host, environ.get("wsgi.url_scheme"))
    if (trusted_hosts and (host or "HTTP_HOST" in environ)
            and not host_is_trusted(host, trusted_hosts)):
        raise SecurityError(f"Host {host!r} is not trusted.")
    return host


def get_current_url(environ: Any, root_only: bool = False,
                    strip_querystring: bool = False, host_only: bool = False,
                    trusted_hosts: Any = None) -> str:
    """Return the URL of the request as an IRI, or only its beginning."""
    root, path = [_from_wsgi(environ.get(name, ""))
                  for name in ("SCRIPT_NAME", "PATH_INFO")]
    root = "/" if host_only else root.rstrip("/") + "/"
    path = "" if host_only or root_only else path.lstrip("/")
    url = quote(root + path, "!$&'()*+,/:;=@%")
    query = environ.get("QUERY_STRING")
    if query and not (host_only or root_only or strip_querystring):
        url += "?" + quote(query.encode("latin-1", "replace"),
                           "!$&'()*+,/:;=?@%")
    scheme = environ.get("wsgi.url_scheme", "http")
    return uri_to_iri(f"{scheme}://{get_host(environ, trusted_hosts)}{url}")


class ClosingIterator(Iterator):
    """The chunks of an iterable, and what to call when it is closed."""

    def __init__(self, iterable: Any, callbacks: Any = None) -> None:
        self._iterator = iter(iterable)
        close = [iterable.close] if hasattr(iterable, "close") else []
        more = [callbacks] if callable(callbacks) else callbacks or ()
        self._callbacks = [*close, *more]

    def __next__(self) -> bytes:
        return next(self._iterator)

    def close(self) -> None:
        """Call every callback, once, even if one of them fails."""
        with contextlib.ExitStack() as stack:
            while self._callbacks:
                stack.callback(self._callbacks.pop())


class FileWrapper:
    """The blocks of a file; `close`, `seek`, ... are the file's."""

    def __init__(self, file: Any, buffer_size: int = 8192) -> None:
        self.file, self.buffer_size = file, buffer_size
        for name in ("close", "seek", "seekable", "tell"):
            if hasattr(file, name):
                setattr(self, name, getattr(file, name))

    def __iter__(self) -> Any:
        while block := self.file.read(self.buffer_size):
            yield block


def wrap_file(environ: Any, file: Any, buffer_size: int = 8192) -> Any:
    """Return the blocks of a file, by the server's own wrapper if any."""
    return environ.get("wsgi.file_wrapper", FileWrapper)(file, buffer_size)


def run_wsgi_app(app: Any, environ: Any, buffered: bool = False) -> Any:
    """Call an app as a server does; return (body, status, Headers)."""
    head: list[Any] = []
    chunks: list[bytes] = []

    def start_response(status, headers, exc_info=None):
        if exc_info and any(chunks):
            raise exc_info[1]
        if head and not exc_info:
            raise AssertionError("start_response came twice without an error")
        head[:] = status, headers
        return chunks.append

    body = ClosingIterator(app(dict(environ), start_response))
    with contextlib.ExitStack() as stack:
        stack.callback(body.close)
        for chunk in body:
            chunks.append(chunk)
            if chunk and not buffered:
                break
        if not head:
            raise AssertionError(f"{app!r} did not call start_response")
        status, headers = head[0], Headers(head[1])
        if not buffered:
            stack.pop_all()
            rest = itertools.chain(chunks, body)
            return ClosingIterator(rest, body.close), status, headers
    return chunks, status, headers


# =============================================================================
# 9. Forms and uploads
# =============================================================================
#
# A form is one line, "a=1&b=2", or, as soon as it holds files, a multipart
# body (RFC 7578): parts between delimiters, each with a small head.  It is
# read in blocks; in each we search for the whole delimiter, and keep the last
# bytes, where one may have begun.  So each byte is seen about once, whatever
# a hostile client sends, and limits count what came, not what was announced.
# A form that breaks off is empty, one that is too big is a 413.  Left out, as
# RFC 7578 says: Content-Transfer-Encoding, filename*, multipart in multipart.

_MAX_PART_HEAD = 8 * 1024
# What follows on "--boundary".  A CR where the buffer ends may be half a CRLF.
_MARK_END_RE = _Regex(rb"(--)|[ \t]{0,64}(?:\r\n|\n|\r(?!\Z))")
_BLANK_LINE_RE = _Regex(rb"\r\n\r\n|\n\n|\r\r")
# boundary ::= 1 to 70 of these characters, the last one no blank (RFC 2046)
_BOUNDARY_RE = _Regex(r"[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]", re.ASCII)
# option ::= ";" name "=" ( quoted string | token )
_PART_OPTION_RE = _Regex(
    r';[ \t]*([^\s;="]+)=("(?:[^"\\]|\\.)*"|[^\s;"]+)', re.DOTALL | re.ASCII)
# Old Internet Explorer sends the whole path, and its backslashes unescaped.
_WINDOWS_FOLDER_RE = _Regex(
    r'(?ai)(filename=")(?:[a-z]:|\\)\\(?:[^"]*\\)?')


class FileStorage:
    """An uploaded file: its stream, and the name that the client gave it."""

    def __init__(self, stream: Any = None, filename: Any = None,
                 name: str | None = None, content_type: str | None = None,
                 content_length: int | None = None,
                 headers: Headers | None = None) -> None:
        self.name = name
        self.stream = io.BytesIO() if stream is None else stream
        if filename is None:
            filename = getattr(stream, "name", None)
            if isinstance(filename, int) or str(filename)[:1] == "<":  # stdin
                filename = None
        self.filename = None if filename is None else os.fsdecode(filename)
        self.headers = Headers() if headers is None else headers
        if content_type is not None:
            self.headers["Content-Type"] = content_type
        if content_length is not None:
            self.headers["Content-Length"] = str(content_length)

    content_type = property(lambda self: self.headers.get("Content-Type"))
    mimetype = property(
        lambda self: parse_options_header(self.content_type)[0].lower())
    mimetype_params = property(
        lambda self: parse_options_header(self.content_type)[1])
    # Mostly 0, as no browser sends it.
    content_length = property(
        lambda self: _number(self.headers.get("Content-Length")) or 0)

    def save(self, dst: Any, buffer_size: int = 16384) -> None:
        """Write what is left of the stream to a path or an open file."""
        from shutil import copyfileobj  # 5 ms, and only for uploads
        given = hasattr(dst, "write")
        with contextlib.nullcontext(dst) if given else open(dst, "wb") as file:
            copyfileobj(self.stream, file, buffer_size)

    def close(self) -> None:
        """Close the stream; this removes a temporary file."""
        with contextlib.suppress(Exception):
            self.stream.close()

    def __bool__(self) -> bool:
        return bool(self.filename)      # empty: no file was chosen

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):       # copy and pickle ask before __init__
            raise AttributeError(name)
        stream = self.stream
        if not hasattr(stream, name):
            # A spooled file has no readable(), seekable(), ... before 3.11.
            stream = getattr(stream, "_file", stream)
        return getattr(stream, name)

    def __iter__(self) -> Any:
        return iter(self.stream)

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind}: {self.filename!r} ({self.content_type!r})>"


def default_stream_factory(*args: Any, **told: Any) -> Any:
    """Return a file for an upload, in memory up to 500 kB, then on disk."""
    from tempfile import SpooledTemporaryFile   # 7 ms, and only for uploads
    return SpooledTemporaryFile(max_size=500 * 1024, mode="rb+")


def parse_form_data(environ: dict, *args: Any, **options: Any) -> tuple:
    """Return (stream, form, files), read with a `FormDataParser(...)`."""
    parser = FormDataParser(*args, **options)
    stream = get_input_stream(
        environ, max_content_length=parser.max_content_length)
    kind, parameters = parse_options_header(environ.get("CONTENT_TYPE"))
    return parser.parse(stream, kind, get_content_length(environ), parameters)


class FormDataParser:
    """Read a form; over a limit is a 413, malformed is empty if `silent`."""

    def __init__(self, stream_factory: Any = None,
                 max_form_memory_size: int | None = None,
                 max_content_length: int | None = None, cls: Any = None,
                 silent: bool = True, *, max_form_parts: Any = None) -> None:
        self.stream_factory = stream_factory or default_stream_factory
        self.max_form_memory_size = max_form_memory_size
        self.max_content_length = max_content_length
        self.cls = MultiDict if cls is None else cls
        self.silent = silent
        self.max_form_parts = max_form_parts

    def parse(self, stream: Any, mimetype: str, content_length: int | None,
              options: dict[str, str] | None = None) -> tuple:
        """Return (stream, form, files) of a body that is limited already."""
        found: Any = [], []
        try:
            if mimetype == "multipart/form-data":
                body = _MultipartBody(stream, (options or {}).get("boundary"))
                found = self._parse_multipart(body, content_length)
            elif mimetype == "application/x-www-form-urlencoded":
                found = _query_pairs(stream.read().decode()), []
        except ValueError:
            if not self.silent:
                raise
        return (stream, *map(self.cls, found))

    def _parse_multipart(self, body, content_length):
        form: list = []
        files: list = []
        with contextlib.ExitStack() as to_close_on_errors:
            for headers in body.heads():
                if len(form) + len(files) == self.max_form_parts:
                    raise RequestEntityTooLarge()
                name, filename = _part_names(headers)
                if filename is None:
                    form.append((name, self._read_field(body, headers)))
                    continue
                file = self.stream_factory(
                    total_content_length=content_length, filename=filename,
                    content_type=headers.get("Content-Type"),
                    content_length=_number(headers.get("Content-Length")) or 0)
                to_close_on_errors.callback(file.close)
                for block in body.data():
                    file.write(block)
                file.seek(0)
                files.append((name, FileStorage(
                    file, filename, name, headers=headers)))
            to_close_on_errors.pop_all()
        return form, files

    def _read_field(self, body, headers):
        value, limit = bytearray(), self.max_form_memory_size
        for block in body.data():
            value += block
            if limit is not None and len(value) > limit:
                raise RequestEntityTooLarge()
        options = parse_options_header(headers.get("Content-Type"))[1]
        is_latin = options.get("charset", "").lower() == "iso-8859-1"
        return value.decode("latin-1" if is_latin else "utf-8", "replace")


def _part_names(headers):
    disposition = headers.get("Content-Disposition", "")
    if "\\" in disposition:
        disposition = _WINDOWS_FOLDER_RE.sub(r"\1", disposition)
    options = {name.lower(): unquote_header_value(value).replace("%22", '"')
               for name, value in _PART_OPTION_RE.findall(disposition)}
    if "name" not in options:
        raise ValueError("A part of the form has no name.")
    # Browsers send the line ends of a name so; in a filename they do harm.
    name = options["name"].replace("%0D", "\r").replace("%0A", "\n")
    return name, options.get("filename")


class _MultipartBody:
    """A stream cut at its delimiters: preamble, head, data, head, data ..."""

    def __init__(self, stream, boundary):
        if not boundary:
            raise ValueError("A multipart body without a boundary.")
        if not _BOUNDARY_RE.fullmatch(boundary):
            raise BadRequest("The boundary of the multipart body is illegal.")
        self._read = functools.partial(stream.read, 64 * 1024)
        self._mark = f"--{boundary}".encode()
        # Data begins at `_start`.  A line end before a delimiter belongs to
        # that; the first delimiter needs none, so we put one there.
        self._buffer = bytearray(b"\n")
        self._start = 1
        self._is_last = False

    def heads(self):
        """Yield the headers of each part; its data is to be read then."""
        collections.deque(self.data(), maxlen=0)            # the preamble
        while not self._is_last:
            yield self._head()
        collections.deque(iter(self._read, b""), maxlen=0)  # the epilogue

    def data(self):
        """Yield what stands before the next delimiter, and skip that."""
        buffer = self._buffer
        while (found := self._find_delimiter()) is None:
            end = len(buffer) - 150     # longer than any delimiter
            if end > self._start:
                yield bytes(buffer[self._start:end])
                del buffer[:end]
                self._start = 0
            self._read_on()
        at, rest = found
        has_crlf = buffer.endswith(b"\r\n", 0, at)
        data = bytes(buffer[self._start:at - 1 - has_crlf])
        self._is_last = rest[1] is not None
        del buffer[:rest.end()]
        yield data

    def _find_delimiter(self):
        """Return where the mark stands and the match behind it, or None."""
        buffer, at = self._buffer, self._start
        while (at := buffer.find(self._mark, at)) >= 0:
            rest = _MARK_END_RE.match(buffer, at + len(self._mark))
            if rest and buffer[at - 1:at] in (b"\r", b"\n"):
                return at, rest
            at += 1
        return None

    def _head(self):
        buffer, start = self._buffer, 0
        while (match := _BLANK_LINE_RE.search(
                buffer, start, _MAX_PART_HEAD)) is None:
            if len(buffer) >= _MAX_PART_HEAD:
                raise RequestEntityTooLarge()
            start = max(0, len(buffer) - 3)
            self._read_on()
        # The second line end stays: the next delimiter may need it.
        self._start = len(match[0]) // 2
        line_end = match[0][:self._start].decode()
        head = buffer[:match.start()].decode("utf-8", "replace")
        del buffer[:match.end() - self._start]
        head = head.replace(line_end + " ", " ").replace(line_end + "\t", " ")
        if not {"\r", "\n"}.isdisjoint(head.replace(line_end, "")):
            raise BadRequest("The head of a part has two kinds of line ends.")
        pairs = [line.partition(":") for line in head.split(line_end)]
        return Headers._of([(name.strip(" \t"), value.strip(" \t"))
                            for name, _, value in pairs])

    def _read_on(self):
        block = self._read()
        if not block:
            raise ValueError("The multipart body has no closing delimiter.")
        self._buffer += block


# =============================================================================
# 10. The current context: a box, filled later
# =============================================================================
#
# A view says `request.args`, and nobody has handed it a request.  So there
# must be a global, and one that answers differently in every thread and task:
# `request` is a LocalProxy.  At every use it looks into the box, a ContextVar
# with a slot for each thread or task, and forwards to what lies there.
# This section only looks.  Section 22 puts something in and takes it out
# again.  Boxes of your own are a ContextVar, or a Local or LocalStack.

_cv_app: contextvars.ContextVar[Any] = contextvars.ContextVar("app context")

_NO_APP = ("Working outside of application context. Nothing tells which app is"
           " meant: use it in a view or inside `with app.app_context():`.")
_NO_REQUEST = ("Working outside of request context. Nobody has asked anything:"
               " use it in a view or `with app.test_request_context():`.")


def _forward(operation, unbound=None):
    """Return a method that does an operation with the target of a proxy."""
    def method(self, *args, **options):
        try:
            target = self._get_current_object()
        except RuntimeError:
            if unbound is None:
                raise
            return unbound(self)
        return operation(target, *args, **options)
    return method


def _reflected(operation):
    return _forward(lambda target, other: operation(other, target))


def _by_name(name):
    return _forward(lambda target, *args: getattr(target, name)(*args))


def _in_place(operation):
    def method(self, other):
        operation(self._get_current_object(), other)
        return self
    return method


class _Kept:
    """What Local and LocalStack share: a variable, which may be given."""

    _variable: Any
    _empty: Any = dict

    def __init__(self, context_var: Any = None) -> None:
        vars(self)["_variable"] = context_var or contextvars.ContextVar("kept")

    def __release_local__(self) -> None:
        self._variable.set(self._empty())

    def _kept(self):
        return self._variable.get(None) or self._empty()

    def __call__(self, name: Any = None, **options: Any) -> LocalProxy:
        return LocalProxy(self, name, **options)


class Local(_Kept):
    """A namespace of which every thread and every task has its own."""

    def _target(self, name):
        """Return what finds the target of a proxy, and the rest of a name."""
        return (lambda: self._kept()[name]), None

    def __iter__(self) -> Iterator:
        return iter(self._kept().items())

    def __getattr__(self, name: str) -> Any:
        try:
            return self._kept()[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        # Always a new dict: another task may have inherited this one.
        self._variable.set({**self._kept(), name: value})

    def __delattr__(self, name: str) -> None:
        getattr(self, name)     # or raise an AttributeError
        self._variable.set({key: kept for key, kept in self if key != name})


class LocalStack(_Kept):
    """A stack of which every thread and every task has its own."""

    _empty = list
    top = property(lambda self: (self._kept() or [None])[-1],
                   doc="Return what was pushed last, or None.")

    def _target(self, name):
        return (lambda: self._kept()[-1]), name

    def push(self, obj: Any) -> list:
        """Put an object on top; return the whole stack as a list."""
        self._variable.set([*self._kept(), obj])
        return self._kept()

    def pop(self) -> Any:
        """Remove the top and return it, or None."""
        *rest, last = self._kept() or [None]
        self._variable.set(rest)
        return last


def release_local(local: Any) -> None:
    """Empty a Local or a LocalStack for this thread or task."""
    local.__release_local__()


class LocalManager:
    """Middleware that empties Locals and LocalStacks after each request."""

    def __init__(self, locals: Any = ()) -> None:
        self.locals = [locals] if isinstance(locals, _Kept) else [*locals]

    def cleanup(self) -> None:
        """Empty them now."""
        for local in self.locals:
            release_local(local)

    def make_middleware(self, app: Any) -> Any:
        """Return a WSGI app that empties them when `app` has answered."""
        return lambda environ, start_response: ClosingIterator(
            app(environ, start_response), self.cleanup)

    middleware = make_middleware


class LocalProxy:
    """A stand-in for an object that is looked up anew at every use.

    LocalProxy(load_user)           -> what the function returns
    LocalProxy(variable)            -> what the ContextVar holds here
    LocalProxy(variable, "user")    -> an attribute of that
    """

    __slots__ = ("_get_current_object",)
    _get_current_object: Any

    def __init__(self, local: Any, name: str | None = None, *,
                 unbound_message: str = "object is not bound") -> None:
        # A variable may be empty; an error of the function is its own affair.
        empty: Any = LookupError
        if isinstance(local, contextvars.ContextVar):
            get = local.get
        elif isinstance(local, (Local, LocalStack)):
            get, name = local._target(name)
        elif callable(local):
            get, empty = local, ()
        else:
            raise TypeError(f"Don't know how to proxy {local!r}: give a"
                            " ContextVar or a function.")
        read: Any = operator.attrgetter(name) if name else None

        def find() -> Any:
            try:
                target = get()
            except empty:
                raise RuntimeError(unbound_message) from None
            return target if read is None else read(target)
        object.__setattr__(self, "_get_current_object", find)

    __repr__ = _forward(repr, unbound=lambda self: "<LocalProxy unbound>")
    __bool__ = _forward(bool, unbound=lambda self: False)
    __dir__ = _forward(dir, unbound=lambda self: [])
    __class__: Any = property(_forward(
        operator.attrgetter("__class__"), unbound=type))
    # Tools that inspect a module ask every object for its __wrapped__.
    __wrapped__: Any = property(_forward(
        operator.attrgetter("__wrapped__"), unbound=lambda self: None))
    __call__ = _forward(lambda target, *args, **named: target(*args, **named))
    __instancecheck__ = _forward(lambda target, obj: isinstance(obj, target))
    __subclasscheck__ = _forward(lambda target, cls: issubclass(cls, target))
    __eq__ = _forward(operator.eq, unbound=lambda self: NotImplemented)
    __rdivmod__ = _reflected(divmod)


# Python looks for these on the class, so the class must have every one.
for _name in ("add sub mul matmul truediv floordiv mod pow lshift rshift and"
              " xor or").split():
    _do: Any = getattr(operator, f"__{_name}__")
    setattr(LocalProxy, f"__{_name}__", _forward(_do))
    setattr(LocalProxy, f"__r{_name}__", _reflected(_do))
    _do = getattr(operator, f"__i{_name}__")
    setattr(LocalProxy, f"__i{_name}__", _in_place(_do))
for _do in (abs, bytes, complex, copy.copy, copy.deepcopy, delattr, divmod,
            float, format, getattr, hash, int, iter, len, next, pow, reversed,
            round, setattr, str, operator.contains, operator.delitem,
            operator.ge, operator.getitem, operator.gt, operator.index,
            operator.invert, operator.le, operator.length_hint, operator.lt,
            operator.neg, operator.pos, operator.setitem):
    setattr(LocalProxy, f"__{_do.__name__}__", _forward(_do))
for _name in ("enter", "exit", "await", "aiter", "anext", "aenter", "aexit",
              "trunc", "floor", "ceil"):
    setattr(LocalProxy, f"__{_name}__", _by_name(f"__{_name}__"))


def _proxy(name, message) -> Any:
    # The class is the proxy's own, so that it can be given shortcuts.
    kind = type("LocalProxy", (LocalProxy,), {"__slots__": ()})
    return kind(_cv_app, name, unbound_message=message)


def _shortcuts(proxy, target, cls):
    """Give a proxy fast properties; where one fails, __getattr__ is asked."""
    for name in {*dir(cls), *cls.__annotations__}:
        if not name.startswith("_"):
            def get(self, read=operator.attrgetter(f"{target}.{name}")):
                return read(_cv_app.get(None))
            setattr(type(proxy), name, property(get))


current_app: Flask = _proxy("app", _NO_APP)
g: Any = _proxy("g", _NO_APP)
_request: Any = _proxy("request", _NO_REQUEST)
request: Request = _request
session: Any = _proxy("session", _NO_REQUEST)
app_ctx: Any = LocalProxy(_cv_app, unbound_message=_NO_APP)
request_ctx: Any = LocalProxy(
    lambda: _request._get_current_object() and app_ctx._get_current_object())


# =============================================================================
# 11. JSON
# =============================================================================
#
# JSON knows no dates, decimals or objects of our own.  A provider decides how
# they are written, how keys are ordered and how far the text is spread out.
# `json.dumps` and its sisters ask that of the current app; without an app they
# do what the standard library does.  UTF-16 and NaN are read, as in Flask,
# though RFC 8259 knows neither.


def _json_default(o):
    if isinstance(o, date):
        return http_date(o)
    import decimal      # Costly modules, and few values come here.
    import uuid
    if isinstance(o, (decimal.Decimal, uuid.UUID)):
        return str(o)
    if hasattr(type(o), "__dataclass_fields__"):
        import dataclasses
        return dataclasses.asdict(o)
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(f"{o!r} is not JSON serializable; app.json.default can"
                    " be set to a function that returns what stands for it.")


class JSONProvider:
    """What an app needs of JSON; a subclass defines `dumps` and `loads`."""

    mimetype = "application/json"

    def __init__(self, app: Any) -> None:
        # The app holds its provider, so this must not hold the app.
        self._app: Any = app and weakref.proxy(app)

    def dumps(self, obj: Any, **options: Any) -> str:
        """Return a value as JSON."""
        raise NotImplementedError

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Return the value of JSON."""
        raise NotImplementedError

    def dump(self, obj: Any, fp: Any, **options: Any) -> None:
        """Write a value as JSON to a text file."""
        fp.write(self.dumps(obj, **options))

    def load(self, fp: Any, **options: Any) -> Any:
        """Return the value of a JSON file."""
        return self.loads(fp.read(), **options)

    def response(self, *args: Any, **options: Any) -> Any:
        """Return a response with the JSON of one value, a list or a dict."""
        if args and options:
            raise TypeError("give positional or named arguments, not both")
        value = args[0] if len(args) == 1 else args or options or None
        return self._app.response_class(
            self._body(value), mimetype=self.mimetype)

    def _body(self, value):
        return self.dumps(value)


class DefaultJSONProvider(JSONProvider):
    """JSON by the standard library; the attributes are settings."""

    default: Any = staticmethod(_json_default)
    ensure_ascii = True
    sort_keys = True
    compact: bool | None = None

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        # To make an encoder costs half as much as to encode a small object.
        self._kept: Any = None, None

    def dumps(self, obj: Any, **options: Any) -> str:
        """Return a value as JSON; options are those of json.dumps."""
        asked = self.default, self.ensure_ascii, self.sort_keys, options
        known, encoder = self._kept
        if known != asked:
            settings = {"default": self.default, "sort_keys": self.sort_keys,
                        "ensure_ascii": self.ensure_ascii, **options}
            encoder = settings.pop("cls", _json.JSONEncoder)(**settings)
            self._kept = asked, encoder
        return encoder.encode(obj)

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Return the value of JSON; options are those of json.loads."""
        return _json.loads(s, **options)

    def _body(self, value):
        """Return compact JSON, or JSON that is spread out in debug mode."""
        spread = self._app.debug if self.compact is None else not self.compact
        layout = {"indent": 2} if spread else {"separators": (",", ":")}
        return self.dumps(value, **layout) + "\n"


_plain_json = DefaultJSONProvider(None)
_plain_json.sort_keys = False


def _by_provider(name):
    def function(*args, **options):
        ctx = _cv_app.get(None)
        provider = _plain_json if ctx is None else ctx.app.json
        return getattr(provider, name)(*args, **options)
    return function


def jsonify(*args: Any, **options: Any) -> Response:
    """Return a response with the JSON of one value, a list or a dict."""
    return current_app.json.response(*args, **options)


json: Any = types.SimpleNamespace(jsonify=jsonify, **{
    name: _by_provider(name) for name in ("dumps", "loads", "dump", "load")})


# =============================================================================
# 12. The request
# =============================================================================
#
# A Request is a lazy view of the environ.  Making one stores that dict and
# nothing else.  An attribute is computed at its first use and kept in the
# instance's `__dict__`, where Python looks before it asks the class again.
# The body can be read once.  `form`, `files` and `data` share it: who comes
# first reads it, within limits, and keeps the result for the others.
# Left out: from_values, application, populate_request (it makes a cycle).


class cached_property:
    """A method that is called once; its result becomes the attribute."""

    # Until Python 3.12 the one of functools lets only one thread compute.

    def __init__(self, fget: Any, name: Any = None, doc: Any = None) -> None:
        self.fget, self.name = fget, name
        self.__doc__ = fget.__doc__ if doc is None else doc

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.fget(instance)
        return value


class _lasting_property(cached_property):
    """Of an app: who asks for its `__dict__` slows its attributes (3.11)."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None or getattr(owner, self.name) is not self:
            return super().__get__(instance, owner)     # It is overridden.
        value = self.fget(instance)
        object.__setattr__(instance, self.name, value)
        return value


def _variable(name, default=None) -> Any:
    return cached_property(lambda self: self.environ.get(name, default))


def _header(name, parse=None, *args) -> Any:
    def read(self):
        text = self.headers.get(name)
        return parse(text, *args) if parse else text
    return cached_property(read)


def _url(**parts) -> Any:
    return cached_property(lambda self: get_current_url(
        self.environ, trusted_hosts=self.trusted_hosts, **parts))


def _setting(name, default) -> Any:
    """Return a property: its own value, or else the app's setting."""
    def read(self):
        value = self._settings.get(name)
        if value is None:
            ctx = _cv_app.get(None)
            value = default if ctx is None else ctx.app.config[name]
        return value

    def write(self, value):
        self._settings = {**self._settings, name: value}
    return property(read, write)


class _Message:
    """What a request and a response have in common."""

    _settings: Any = types.MappingProxyType({})
    json_module: Any = json
    json = property(lambda self: self.get_json())

    @property
    def is_json(self: Any) -> bool:
        kind, _, subtype = (self.mimetype or "").partition("/")
        return kind == "application" and (
            subtype == "json" or subtype.endswith("+json"))

    def __enter__(self) -> Any:
        return self

    def __exit__(self: Any, *error: Any) -> None:
        self.close()


class Request(_Message):
    """What a client asks: a read-only view of a WSGI environ.

    `path` is what follows `root_path`, with one slash in front; `host` is
    checked and has no usual port; `args` are the fields of the query, `form`
    and `files` those of the body, `values` both; `data` is the body unless it
    was read as a form.  With `shallow` the body can't be read.
    """

    environ: dict

    # May be set by subclasses.
    parameter_storage_class: Any = ImmutableMultiDict
    dict_storage_class: Any = ImmutableMultiDict
    list_storage_class: Any = ImmutableList
    form_data_parser_class: Any = FormDataParser
    user_agent_class: Any = UserAgent
    trusted_hosts: Any = None
    max_content_length = _setting("MAX_CONTENT_LENGTH", None)
    max_form_memory_size = _setting("MAX_FORM_MEMORY_SIZE", 500_000)
    max_form_parts = _setting("MAX_FORM_PARTS", 1000)

    # Set by the app when the URL matches, or when none does.
    url_rule: Any = None
    view_args: dict[str, Any] | None = None
    routing_exception: Any = None

    shallow = _form_is_read = False
    _data: bytes | None = None
    _json_value: Any = _missing

    def __init__(self, environ: dict, populate_request: bool = True,
                 shallow: bool = False) -> None:
        self.environ = environ
        if shallow:
            self.shallow = True

    def __repr__(self) -> str:
        try:
            url = self.url
        except HTTPException as error:
            url = f"({error.description})"
        return f"<{type(self).__name__} {url!r} [{self.method}]>"

    endpoint = property(lambda self: self.url_rule and self.url_rule.endpoint)
    blueprint = property(
        lambda self: (self.endpoint or "").rpartition(".")[0] or None)
    method = _variable("REQUEST_METHOD", "GET")
    scheme = _variable("wsgi.url_scheme", "http")
    remote_addr = _variable("REMOTE_ADDR")
    remote_user = _variable("REMOTE_USER")
    is_multithread = _variable("wsgi.multithread")
    is_multiprocess = _variable("wsgi.multiprocess")
    is_run_once = _variable("wsgi.run_once")
    input_stream = _variable("wsgi.input")
    is_secure = property(lambda self: self.scheme in ("https", "wss"))
    root_path = script_root = cached_property(lambda self: _from_wsgi(
        self.environ.get("SCRIPT_NAME", "")).rstrip("/"))
    path = cached_property(lambda self: "/" + _from_wsgi(
        self.environ.get("PATH_INFO", "")).lstrip("/"))
    query_string = cached_property(lambda self: self.environ.get(
        "QUERY_STRING", "").encode("latin-1", "replace"))
    _query = property(
        lambda self: self.query_string.decode("utf-8", "replace"))
    full_path = cached_property(lambda self: f"{self.path}?{self._query}")
    host = cached_property(
        lambda self: get_host(self.environ, self.trusted_hosts))
    url = _url()
    base_url = _url(strip_querystring=True)
    root_url = url_root = _url(root_only=True)
    host_url = _url(host_only=True)

    # A table below the class adds more of these.
    headers = cached_property(lambda self: EnvironHeaders(self.environ))
    cookies = cached_property(
        lambda self: parse_cookie(self.environ, self.dict_storage_class))
    content_length = cached_property(
        lambda self: get_content_length(self.environ))
    content_type = _header("Content-Type")
    _media_type = _header("Content-Type", parse_options_header)
    mimetype = property(lambda self: self._media_type[0].lower())
    mimetype_params = property(lambda self: self._media_type[1])
    user_agent = cached_property(
        lambda self: self.user_agent_class(self.headers.get("User-Agent", "")))
    referrer = _header("Referer")
    accept_mimetypes = _header("Accept", parse_accept_header, MIMEAccept)
    accept_charsets = _header(
        "Accept-Charset", parse_accept_header, CharsetAccept)
    accept_encodings = _header("Accept-Encoding", parse_accept_header)
    accept_languages = _header(
        "Accept-Language", parse_accept_header, LanguageAccept)

    args = cached_property(
        lambda self: self.parameter_storage_class(_query_pairs(self._query)))
    form = cached_property(lambda self: self._load_form_data() or self.form)
    files = cached_property(lambda self: self._load_form_data() or self.files)
    values = cached_property(lambda self: CombinedMultiDict(
        [self.args] if self.method == "GET" else [self.args, self.form]))
    data = cached_property(lambda self: self.get_data(parse_form_data=True))
    want_form_data_parsed = property(
        lambda self: bool(self.environ.get("CONTENT_TYPE")))
    _get_file_stream = staticmethod(default_stream_factory)

    @property
    def server(self) -> tuple[str, int | None] | None:
        """Return (name, port) of the server; a socket file has no port."""
        name = self.environ.get("SERVER_NAME")
        return name and (name, _number(self.environ.get("SERVER_PORT")))

    @property
    def access_route(self) -> list:
        """Return X-Forwarded-For, which may be forged, or remote_addr."""
        route = parse_list_header(self.headers.get("X-Forwarded-For", ""))
        return self.list_storage_class(
            route or filter(None, [self.remote_addr]))

    @property
    def blueprints(self) -> list[str]:
        """Return the names of the blueprint and of those it is nested in."""
        parts = self.blueprint.split(".") if self.blueprint else []
        return [".".join(parts[:stop]) for stop in range(len(parts), 0, -1)]

    @cached_property
    def stream(self) -> Any:
        """Return the body as a stream that ends and keeps the limit."""
        if self.shallow:
            raise RuntimeError("A shallow request does not read its body.")
        return get_input_stream(self.environ, True, self.max_content_length)

    def get_data(self, cache: bool = True, as_text: bool = False,
                 parse_form_data: bool = False) -> Any:
        """Return the whole body; with `cache` it can be asked for again."""
        data = self._data
        if data is None:
            if parse_form_data:
                self._load_form_data()
            data = self.stream.read()
            if cache:
                self._data = data
        return data.decode("utf-8", "replace") if as_text else data

    def make_form_data_parser(self) -> Any:
        """Return a parser with the limits of this request."""
        return self.form_data_parser_class(
            self._get_file_stream, self.max_form_memory_size,
            self.max_content_length, self.parameter_storage_class,
            max_form_parts=self.max_form_parts)

    def _load_form_data(self) -> None:
        if self._form_is_read:
            return
        stream = self.stream if self._data is None else io.BytesIO(self._data)
        if self.want_form_data_parsed:
            stream, form, files = self.make_form_data_parser().parse(
                stream, self.mimetype, self.content_length,
                self.mimetype_params)
        else:
            form = files = self.parameter_storage_class()
        vars(self).update(
            stream=stream, form=form, files=files, _form_is_read=True)

    def get_json(self, force: bool = False, silent: bool = False,
                 cache: bool = True) -> Any:
        """Return the value of the JSON body; raise a 400, or 415 for its type.

        `force` reads it whatever its type, `silent` returns None instead.
        """
        if cache and self._json_value is not _missing:
            return self._json_value
        if not (force or self.is_json):
            return None if silent else self.on_json_loading_failed(None)
        try:
            value = self.json_module.loads(self.get_data(cache=cache))
        except (ValueError, RecursionError) as error:
            return None if silent else self.on_json_loading_failed(error)
        if cache:
            self._json_value = value
        return value

    def on_json_loading_failed(self, e: Exception | None) -> Any:
        """Raise the error of get_json(), or return a value instead."""
        if e is None:
            raise UnsupportedMediaType(
                "The Content-Type of the request is not application/json.")
        debug = current_app and current_app.debug
        raise BadRequest(f"The body is not JSON: {e}" if debug else None)

    def close(self) -> None:
        """Close the uploads."""
        if self._form_is_read:
            for _, file in iter_multi_items(self.files):
                file.close()


# Attributes whose names are those of their headers.
for _parse, _names in {
        None: "Content-Encoding Content-MD5 Origin"
              " Access-Control-Request-Method",
        parse_date: "Date If-Modified-Since If-Unmodified-Since",
        parse_etags: "If-Match If-None-Match",
        parse_set_header: "Pragma Access-Control-Request-Headers",
        parse_cache_control_header: "Cache-Control",
        parse_range_header: "Range", parse_if_range_header: "If-Range",
        Authorization.from_header: "Authorization", _number: "Max-Forwards",
}.items():
    for _name in _names.split():
        _attribute = _header(_name, _parse)
        _attribute.name = _name.lower().replace("-", "_")
        setattr(Request, _attribute.name, _attribute)

_shortcuts(request, "_request", Request)


# =============================================================================
# 13. The response
# =============================================================================
#
# A Response is a body, a status and headers, and the WSGI app that sends them.
# A body of text or bytes has its Content-Length at once, a list when it is
# sent; any other iterable is streamed, and nobody knows its length.
# Most headers are attributes; some are objects that write themselves back when
# they change: `response.vary.add("Cookie")`.  When the head is sent, IRIs are
# encoded, and where a status forbids a body what tells of one vanishes.
# Left out: stream, freeze, absolute locations.  (RFC 9110, PEP 3333)

_ENTITY_HEADERS = {
    "allow", "content-encoding", "content-language", "content-length",
    "content-md5", "content-range", "content-type", "last-modified"}
_LOCATIONS = {"location", "content-location"}
_WITHOUT_BODY = {204, 205, 304, *range(100, 200)}
_TEXTS = (str, bytes, bytearray)


@functools.lru_cache(maxsize=64)
def _with_charset(mimetype):
    if (mimetype.startswith("text/") or mimetype.endswith("+xml")
            or mimetype in ("application/xml", "application/javascript")):
        mimetype += "; charset=utf-8"
    return _head_text(mimetype)


@functools.lru_cache(maxsize=64, typed=True)
def _status_line(status):
    """Return (line, code): 404 -> ("404 NOT FOUND", 404), also "299 Mine"."""
    text = _head_text(int(status) if isinstance(status, int) else status,
                      "status").strip(" \t")
    if not text:
        raise ValueError("A status can't be empty: give a code, such as 200.")
    first, _, reason = text.partition(" ")
    code = _number(first)
    if code is None:
        return f"0 {text}", 0
    if not reason:
        text = f"{code} {HTTP_STATUS_CODES.get(code, 'unknown').upper()}"
    return text, code


def _media_type(text):
    return text.partition(";")[0].strip() or None


def _encoded(chunk):
    if type(chunk) is bytes:
        return chunk
    if isinstance(chunk, str):
        return chunk.encode()
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise TypeError(f"A body consists of str or bytes, not of {chunk!r}.")
    return bytes(chunk)


def _sliced(body, start, stop):
    """Iterate over the bytes of a body from start to stop."""
    position = 0
    if hasattr(body, "seekable") and body.seekable():
        position = body.seek(start)
    for chunk in map(_encoded, body):
        yield chunk[max(start - position, 0):stop - position]
        position += len(chunk)
        if position >= stop:
            break


def _uri(iri):
    try:
        return iri_to_uri(iri)
    except ValueError:      # No URL, but encoded it can be sent nevertheless.
        return quote(iri, safe="%!#$&'()*+,/:;=?@[]")


def _field_text(value):
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, datetime):
        return http_date(value)
    return getattr(value, "to_header", lambda: dump_header(value))()


def header_property(name: str, default: Any = None, load_func: Any = str,
                    dump_func: Any = _field_text, read_only: Any = False,
                    doc: str | None = None, *, live: bool = False) -> Any:
    """Return a property that is kept in a header.

    It is the default if the header is missing or load_func refuses its text;
    None removes it.  dump_func returns a text, or a list for several headers.
    What is live is made by load_func(text, write) and writes itself back.
    """
    def read(self):
        text = self.headers.get(name)
        if live:
            return load_func(text, functools.partial(write, self))
        try:
            return default if text is None else load_func(text)
        except ValueError:
            return default

    def write(self, value):
        texts = () if value is None else _several(dump_func(value))
        self.headers.setlist(name, filter(None, texts))
    if read_only:
        return property(read, doc=doc)
    return property(read, write, lambda self: write(self, None), doc)


def _retry_time(text):
    seconds = _number(text)
    if seconds is None:
        return parse_date(text)
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def _challenge(text, write):
    found = WWWAuthenticate.from_header(text) or WWWAuthenticate("basic")
    found._on_update = write
    return found


def _content_range(text, write):
    return (parse_content_range_header(text, write)
            or ContentRange(None, None, None, on_update=write))


class Response(_Message):
    """An answer: body, status and headers; a WSGI app that sends them.

    The body is str, bytes or an iterable of these, `status` a code or a text
    such as "404 Not Found".  `mimetype` gets a charset if it is text.
    """

    # May be set by subclasses.
    default_status: Any = 200
    default_mimetype: str | None = "text/html"
    implicit_sequence_conversion = True
    automatically_set_content_length = True
    max_cookie_size = _setting("MAX_COOKIE_SIZE", 4093)

    _on_close: Any = ()

    def __init__(self, response: Any = None, status: Any = None,
                 headers: Any = None, mimetype: str | None = None,
                 content_type: str | None = None,
                 direct_passthrough: bool = False) -> None:
        if headers is not None and not isinstance(headers, Headers):
            headers = Headers(headers)
        if content_type is not None:
            content_type = _head_text(content_type)
        else:
            if mimetype is None and (
                    headers is None or "Content-Type" not in headers):
                mimetype = self.default_mimetype
            if mimetype:
                content_type = _with_charset(mimetype)
        new = [("Content-Type", content_type)] if content_type else []
        if isinstance(response, _TEXTS):
            body = (response.encode() if type(response) is str
                    else _encoded(response))
            response = [body]
            if self.automatically_set_content_length:
                new.append(("Content-Length", f"{len(body)}"))
        self.response: Any = [] if response is None else response
        if headers is None:
            headers = Headers()
            headers._list = new
        else:
            for pair in new:
                headers._replace(pair[0], [pair])
        self.headers: Any = headers
        self._status, self._status_code = "200 OK", 200
        if status is not None or self.default_status != 200:
            self._set_status(self.default_status if status is None else status)
        self.direct_passthrough = direct_passthrough

    def __repr__(self) -> str:
        if self.is_sequence:
            body = f"{sum(map(len, self.iter_encoded()))} bytes"
        else:
            body = "streamed" if self.is_streamed else "likely-streamed"
        return f"<{type(self).__name__} {body} [{self.status}]>"

    def _set_status(self, value):
        self._status, self._status_code = _status_line(value)

    status = property(lambda self: self._status, _set_status)
    status_code = property(lambda self: self._status_code, _set_status)
    is_sequence = property(
        lambda self: isinstance(self.response, (list, tuple)))
    is_streamed = property(lambda self: not hasattr(self.response, "__len__"))

    def iter_encoded(self) -> Any:
        """Iterate over the body as bytes."""
        return map(_encoded, self.response)

    def _replace_body(self, body):
        """Set another body; the old one is closed when the response is."""
        if hasattr(self.response, "close"):
            self.call_on_close(self.response.close)
        self.response = body
        self.direct_passthrough = False

    def make_sequence(self) -> None:
        """Read the body to its end and keep it as a list."""
        if not self.is_sequence:
            self._replace_body(list(self.iter_encoded()))

    def get_data(self, as_text: bool = False) -> Any:
        """Return the whole body; a streamed one is read and kept."""
        if not self.is_sequence:
            if (self.direct_passthrough
                    or not self.implicit_sequence_conversion):
                raise RuntimeError("The body is a stream that must not be read"
                                   " ahead; make_sequence() does so.")
            self.make_sequence()
        data = b"".join(self.iter_encoded())
        return data.decode() if as_text else data

    def set_data(self, value: Any) -> None:
        """Set the body from str or bytes, and its length."""
        self.response = [_encoded(value)]
        if self.automatically_set_content_length:
            self.headers["Content-Length"] = len(self.response[0])

    data = property(get_data, set_data, doc="Return the whole body as bytes.")

    def calculate_content_length(self) -> int | None:
        """Return the length of the body; None if it must not be read."""
        try:
            return len(self.get_data())
        except RuntimeError:
            return None

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        """Return the value of the JSON body, None if it is something else."""
        if not (force or self.is_json):
            return None
        try:
            return self.json_module.loads(self.get_data())
        except ValueError:
            if silent:
                return None
            raise

    def call_on_close(self, func: Any) -> Any:
        """Call a function when the response has been sent; return it."""
        self._on_close = [*self._on_close, func]
        return func

    def close(self) -> None:
        """Close the body and call what `call_on_close` was given."""
        callbacks, self._on_close = self._on_close, ()
        if hasattr(self.response, "close"):
            self.response.close()
        for func in callbacks:
            func()

    def set_cookie(self, key: str, value: str = "", max_age: Any = None,
                   expires: Any = None, path: str | None = "/",
                   domain: str | None = None, secure: bool = False,
                   httponly: bool = False, samesite: str | None = None,
                   partitioned: bool = False) -> None:
        """Add a Set-Cookie header; `dump_cookie` explains the arguments."""
        self.headers.add("Set-Cookie", dump_cookie(
            key, value, max_age, expires, path, domain, secure, httponly,
            max_size=self.max_cookie_size, samesite=samesite,
            partitioned=partitioned))

    def delete_cookie(self, key: str, path: str | None = "/",
                      domain: str | None = None, *args: Any,
                      **options: Any) -> None:
        """Let the browser forget a cookie that was set with these values."""
        self.set_cookie(key, "", 0, 0, path, domain, *args, **options)

    mimetype = header_property(
        "Content-Type", None, _media_type, _with_charset)

    @property
    def mimetype_params(self) -> dict:
        """Return the parameters of the media type, as a dict that is live."""
        params = parse_options_header(self.headers.get("Content-Type"))[1]
        return CallbackDict(params, lambda params: self.headers.set(
            "Content-Type", dump_options_header(self.mimetype, params)))

    def set_etag(self, etag: str, weak: bool = False) -> None:
        """Set the ETag, which is given without its quotes."""
        self.headers["ETag"] = quote_etag(etag, weak)

    def get_etag(self) -> tuple:
        """Return (etag, whether it is weak), or (None, None)."""
        return unquote_etag(self.headers.get("ETag"))

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Set the ETag to a hash of the body, if there is none yet."""
        if overwrite or "ETag" not in self.headers:
            self.set_etag(generate_etag(self.get_data()), weak)

    def make_conditional(self, request_or_environ: Any,
                         accept_ranges: Any = False,
                         complete_length: int | None = None) -> Response:
        """Become a 304, 412 or 206 if the request asks for it; return itself.

        A part can be sent if accept_ranges is true and the length is given.
        Raises RequestedRangeNotSatisfiable.
        """
        environ = getattr(request_or_environ, "environ", request_or_environ)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self
        self.headers.setdefault("Date", http_date())
        if accept_ranges:
            self.headers["Accept-Ranges"] = (
                "bytes" if accept_ranges is True else accept_ranges)
        if 200 <= self.status_code < 300:
            known = self.headers.get("ETag"), self.headers.get("Last-Modified")
            status = _precondition(environ, *known)
            if status == 412:
                self._become(PreconditionFailed())
            elif status == 304:
                self.status_code = 304
            elif self.status_code == 200 and accept_ranges:
                self._send_part(environ, *known, complete_length)
        return self

    def _become(self, error):
        for name in _ENTITY_HEADERS:
            self.headers.remove(name)
        self._replace_body([])
        self.status, self.mimetype = error.code, "text/html"
        self.set_data(error.get_body())

    def _send_part(self, environ, etag, last_modified, length):
        try:
            part = _requested_range(environ, etag, last_modified, length)
        except RequestedRangeNotSatisfiable:
            self.close()
            raise
        if part is not None:
            start, stop = part
            self.status_code = 206
            self.headers["Content-Range"] = (
                f"bytes {start}-{stop - 1}/{length}")
            self.headers["Content-Length"] = stop - start
            self._replace_body(_sliced(self.response, start, stop))

    @classmethod
    def force_type(cls, response: Any, environ: Any = None) -> Response:
        """Make a response, or a WSGI app and an environ, one of this class."""
        if not isinstance(response, Response):
            if environ is None:
                raise TypeError("A WSGI app is made a response by calling it,"
                                " which needs an environ.")
            response = Response(*run_wsgi_app(response, environ))
        response.__class__ = cls
        return response

    @classmethod
    def from_app(cls, app: Any, environ: dict,
                 buffered: bool = False) -> Response:
        """Call a WSGI app and return its answer."""
        return cls(*run_wsgi_app(app, environ, buffered))

    def get_wsgi_headers(self, environ: dict) -> Any:
        """Return a copy of the headers, put right to be sent."""
        headers, has_length = Headers(), False
        headers._list = pairs = [*self.headers._list]
        for index, (name, value) in enumerate(pairs):
            folded = name.lower()
            if folded == "content-length":
                has_length = True
            elif folded in _LOCATIONS:
                pairs[index] = name, _uri(value)
        status = self._status_code
        if status == 205:
            headers["Content-Length"] = 0
        elif status in _WITHOUT_BODY:
            for name in (_ENTITY_HEADERS if status == 304 else
                         ("content-type", "content-length")):
                headers.remove(name)
        elif (not has_length and self.is_sequence
                and self.automatically_set_content_length):
            headers["Content-Length"] = sum(map(len, self.iter_encoded()))
        return headers

    def get_app_iter(self, environ: dict) -> Any:
        """Return the body as it is sent: empty for HEAD, 204, 205, 304."""
        if (environ["REQUEST_METHOD"] == "HEAD"
                or self._status_code in _WITHOUT_BODY):
            return ClosingIterator((), self.close)
        if not self._on_close and (
                type(self) is Response or type(self).close is Response.close):
            if self.direct_passthrough:
                return self.response
            if type(self.response) is list:
                return list(self.iter_encoded())
        return ClosingIterator(self.iter_encoded(), self.close)

    def get_wsgi_response(self, environ: dict) -> tuple:
        """Return (body, status, list of headers) as they are sent."""
        headers = self.get_wsgi_headers(environ).to_wsgi_list()
        return self.get_app_iter(environ), self._status, headers

    def __call__(self, environ: dict, start_response: Any) -> Any:
        body, status, headers = self.get_wsgi_response(environ)
        start_response(status, headers)
        return body


# Attributes whose names are those of their headers.
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Location Content-Type Content-Location Content-Encoding Content-MD5"
    " Accept-Ranges Access-Control-Allow-Origin": {},
    "Content-Length Access-Control-Max-Age": {"load_func": _number},
    "Date Expires Last-Modified": {
        "load_func": parse_date, "dump_func": http_date},
    "Age": {"load_func": parse_age, "dump_func": dump_age},
    "Retry-After": {"load_func": _retry_time},
    "Access-Control-Allow-Headers Access-Control-Allow-Methods"
    " Access-Control-Expose-Headers": {"load_func": parse_set_header},
    "Access-Control-Allow-Credentials": {
        "default": False, "load_func": bool,
        "dump_func": lambda value: "true" if value is True else None},
    "Vary Allow Content-Language": {
        "load_func": parse_set_header, "live": True},
    "Cache-Control": {"live": True, "load_func": functools.partial(
        parse_cache_control_header, cls=ResponseCacheControl)},
    "Content-Security-Policy Content-Security-Policy-Report-Only": {
        "load_func": parse_csp_header, "live": True},
    "Content-Range": {"load_func": _content_range, "live": True},
    "WWW-Authenticate": {
        "load_func": _challenge, "live": True, "dump_func": lambda value: [
            each.to_header() for each in _several(value)]},
    "Cross-Origin-Opener-Policy": {
        "default": COOP.UNSAFE_NONE, "load_func": COOP,
        "dump_func": operator.attrgetter("value")},
    "Cross-Origin-Embedder-Policy": {
        "default": COEP.UNSAFE_NONE, "load_func": COEP,
        "dump_func": operator.attrgetter("value")},
}
for _names, _options in _ATTRIBUTES.items():
    for _name in _names.split():
        setattr(Response, _name.lower().replace("-", "_"),
                header_property(_name, **_options))

# The knot: the errors of section 4 make their pages with this class.
HTTPException.response_class = Response


def _redirect_to(location: str, code: int = 302, Response: Any = None) -> Any:
    """Return a redirect, with a link for those who must click."""
    make = HTTPException.response_class if Response is None else Response
    return make(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n"
        f'<p>This page is at <a href="{escape(_uri(location))}">'
        f"{escape(location)}</a>.\n",
        code, {"Location": location}, mimetype="text/html")


# =============================================================================
# 14. Routing
# =============================================================================
#
# A rule such as "/user/<int:id>" is read in two directions: a path becomes an
# endpoint and values (match), an endpoint and values become a path (build).
# To match, each rule is a regular expression, made when it is first needed.
#
# No rule is tried in vain.  Rules without variables stand in a dictionary; the
# others are found by the number of their parts (what is between slashes; one
# that may hold slashes takes the rest), by which parts are fixed, whole or at
# the front or the end, and by these texts.  Of what is found the special comes
# before the general, part by part: fixed text, then converters by weight, then
# the rule that was added first.  A rule's `websocket` is kept, but matched
# like any other.  A path that several variables of one part could share in too
# many ways fits no rule.

_PATH_SAFE = "!$&'()*+,/:;=@"  # https://url.spec.whatwg.org/#url-path-segment
# variable ::= "<" [converter ["(" arguments ")"] ":"] name ">"
_VARIABLE_RE = _Regex(r"""
    < (?: ([a-z_]\w*) (?: \( (.*?) \) )? : )? ([a-z_]\w*) >
    """, re.VERBOSE | re.ASCII | re.IGNORECASE)
# arguments ::= [[name "="] (word | '"' text '"' | "'" text "'") [","]]*
_ARGUMENT_RE = _Regex(r"""
    \s* (?: (\w+) \s* = \s* )? (?: (["']) (.*?) \2 | ([^\s,="'()+-]+) )
    \s* (?: , \s* | \Z )""", re.VERBOSE | re.ASCII)
_CONSTANTS: dict[str, Any] = {"None": None, "True": True, "False": False}
_MOST_STEPS = 10_000_000  # Of one match; about 0.1 s.


class RoutingException(Exception):
    """Base of what routing raises beside 404 and 405."""


class RequestRedirect(HTTPException, RoutingException):
    """The path is another spelling of `new_url`."""

    code = 308

    def __init__(self, new_url: str) -> None:
        super().__init__(new_url)
        self.new_url = new_url

    def get_response(self, environ: Any = None, scope: Any = None) -> Any:
        """Return the redirect."""
        return _redirect_to(self.new_url, self.code)


class BuildError(RoutingException, LookupError):
    """No rule of the endpoint can be filled with the values."""

    def __init__(self, endpoint: Any, values: Any, method: str | None,
                 adapter: Any = None) -> None:
        super().__init__(endpoint, values, method)
        self.endpoint, self.values, self.method = endpoint, values, method
        self.adapter = adapter

    @cached_property
    def suggested(self) -> Any:
        """Return the rule that was probably meant, or None."""
        import difflib  # Costs 3 ms at start and is only needed here.
        rules = self.adapter.map.iter_rules() if self.adapter else ()
        return max(rules, default=None, key=lambda rule: (
            difflib.SequenceMatcher(
                None, str(rule.endpoint), str(self.endpoint)).ratio(),
            rule.arguments.issuperset(self.values),
            self.method in (rule.methods or ())))

    def __str__(self) -> str:
        method = f" ({self.method!r})" if self.method else ""
        values = f" with values {sorted(self.values)}" if self.values else ""
        rule, advice = self.suggested, ""
        if rule is not None and rule.endpoint != self.endpoint:
            advice = f" Did you mean {rule.endpoint!r} instead?"
        elif rule is not None:
            methods = rule.methods or [self.method]
            if self.method and self.method not in methods:
                advice = f" Did you mean to use methods {sorted(methods)}?"
            missing = rule.arguments - {*(rule.defaults or ()), *self.values}
            if missing:
                advice += (" Did you forget to specify values"
                           f" {sorted(missing)}?")
        return (f"Could not build url for endpoint {self.endpoint!r}{method}"
                f"{values}.{advice}")


class ValidationError(ValueError):
    """Raised by a converter: this rule does not fit, try the next one."""


class BaseConverter:
    """How one variable of a rule is recognised, read and written."""

    regex = "[^/]+"
    weight = 100  # Rules with light converters are tried first.
    part_isolating = True  # False: may hold slashes.

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "regex" in vars(cls) and "part_isolating" not in vars(cls):
            cls.part_isolating = "/" not in cls.regex

    def __init__(self, map: Map, *args: Any, **kwargs: Any) -> None:
        self.map = map

    def to_python(self, value: str) -> Any:
        """Return what the view gets for a text of the path."""
        return value

    def to_url(self, value: Any) -> str:
        """Return the quoted text of a value."""
        return quote(str(value), safe=_PATH_SAFE)


class UnicodeConverter(BaseConverter):
    """Text without a slash: `<name>`, `<string(length=2):lang>`."""

    def __init__(self, map: Map, minlength: int = 1, maxlength: Any = None,
                 length: int | None = None) -> None:
        super().__init__(map)
        if length is not None:
            minlength = maxlength = length
        most = "" if maxlength is None else int(maxlength)
        self.regex = f"[^/]{{{int(minlength)},{most}}}"


class RegexConverter(BaseConverter):
    """Text of a form of its own: `<regex("[a-z]{3}"):code>`."""

    def __init__(self, map: Map, regex: str) -> None:
        super().__init__(map)
        self.regex, self.part_isolating = regex, "/" not in regex


class AnyConverter(BaseConverter):
    """One of several words: `<any(about, help, "a b"):page>`."""

    def __init__(self, map: Map, *items: Any) -> None:
        super().__init__(map)
        self.items = {str(item): re.escape(str(item)) for item in items}
        self.regex = f"(?:{'|'.join(self.items.values())})"

    def to_url(self, value: Any) -> str:
        """Return the quoted word, or raise ValueError for another one."""
        if str(value) not in self.items:
            raise ValueError(f"{value!r} is not one of {list(self.items)}")
        return super().to_url(value)


class PathConverter(BaseConverter):
    """Text that may hold slashes, but not in front: `<path:page>`."""

    regex = "[^/].*?"
    weight = 200
    part_isolating = False


class NumberConverter(BaseConverter):
    """Base of the converters for numbers."""

    weight = 50
    num_convert: Any = int

    def __init__(self, map: Map, fixed_digits: int = 0, min: Any = None,
                 max: Any = None, signed: bool = False) -> None:
        super().__init__(map)
        self.fixed_digits, self.min, self.max = fixed_digits, min, max
        self.signed = signed
        self.regex = f"-?{self.regex}" if signed else self.regex

    def to_python(self, value: str) -> Any:
        """Return the number, or raise ValidationError if it is no good one."""
        # Longer numbers are slow to read, and int() refuses them since 3.11.
        if len(value) > 4300 or self.fixed_digits not in (0, len(value)):
            raise ValidationError()
        number = self.num_convert(value)
        if (self.min is not None and number < self.min
                or self.max is not None and number > self.max):
            raise ValidationError()
        return number

    def to_url(self, value: Any) -> str:
        """Return the digits, after zeros if their number is fixed."""
        return str(self.num_convert(value)).zfill(self.fixed_digits)


class IntegerConverter(NumberConverter):
    """Digits: `<int:id>`, `<int(min=1, max=9, signed=True):n>`."""

    regex = "[0-9]+"


class FloatConverter(NumberConverter):
    """Digits with a point among them: `<float:price>`."""

    regex = r"[0-9]+\.[0-9]+"
    num_convert = float

    def __init__(self, map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(map, 0, *args, **kwargs)


class UUIDConverter(BaseConverter):
    """A UUID with its four dashes: `<uuid:id>`."""

    regex = "[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"

    def to_python(self, value: str) -> Any:
        """Return the uuid.UUID."""
        import uuid  # Costs 3 ms at start and is only needed here.
        return uuid.UUID(value)


_CONVERTERS = ImmutableDict({
    "default": UnicodeConverter, "string": UnicodeConverter,
    "any": AnyConverter, "path": PathConverter, "int": IntegerConverter,
    "float": FloatConverter, "uuid": UUIDConverter, "regex": RegexConverter})


def _converter_arguments(text: str) -> tuple[list, dict]:
    """Return (args, kwargs) of a text such as `1, "a b", max=9`."""
    args, kwargs, position = [], {}, 0
    while position < len(text):
        found = _ARGUMENT_RE.match(text, position)
        if found is None:
            raise ValueError(f"Cannot parse converter argument"
                             f" {text[position:]!r}; is it to be quoted?")
        position = found.end()
        name, _, value, word = found.groups()
        if word and re.fullmatch(r"[0-9]+(\.[0-9]*)?", word, re.ASCII):
            value = float(word) if "." in word else int(word)
        elif word:
            value = _CONSTANTS.get(word, word)
        if name:
            kwargs[name] = value
        else:
            args.append(value)
    return args, kwargs


class RuleFactory:
    """Something that gives rules to a map: a rule, or a group of them."""

    def get_rules(self, map: Map) -> Any:
        """Return an iterable of rules."""
        raise NotImplementedError


class Rule(RuleFactory):
    """A pattern for paths, the endpoint it leads to, and conditions."""

    provide_automatic_options = False
    _map: Any = None

    def __init__(self, string: str, defaults: Any = None,
                 subdomain: Any = None, methods: Any = None,
                 build_only: bool = False, endpoint: Any = None,
                 strict_slashes: Any = None, merge_slashes: Any = None,
                 redirect_to: Any = None, alias: bool = False,
                 host: Any = None, websocket: bool = False) -> None:
        self.rule, self.endpoint, self.defaults = string, endpoint, defaults
        self.subdomain, self.host = subdomain, host
        self.strict_slashes, self.merge_slashes = strict_slashes, merge_slashes
        self.build_only, self.redirect_to = build_only, redirect_to
        self.alias, self.websocket, self.methods = alias, websocket, methods
        if not string.startswith("/"):
            raise ValueError(f"URL rule {string!r} must start with a slash;"
                             f" did you mean {'/' + string!r}?")
        if isinstance(methods, str):
            raise TypeError(f"'methods' should be a list of strings, such as"
                            f" [{methods!r}]")
        if methods is not None:
            self.methods = {method.upper() for method in methods}
            self.methods.update(["HEAD"] if "GET" in self.methods else ())
        self.is_branch = string.endswith("/")
        self.is_leaf = not self.is_branch
        self.arguments = set(map(str, defaults or ()))

    @property
    def map(self) -> Any:
        """Return the map that has the rule, or None."""
        return self._map and self._map()

    def get_rules(self, map: Map) -> Any:
        """Return the rule itself."""
        return [self]

    def get_empty_kwargs(self) -> dict:
        """Return the keyword arguments for a copy of the rule."""
        return {name: getattr(self, name) for name in (
            "defaults", "subdomain", "methods", "build_only", "endpoint",
            "strict_slashes", "merge_slashes", "redirect_to", "alias", "host",
            "websocket")}

    def empty(self) -> Rule:
        """Return a copy that is not bound to a map."""
        return type(self)(self.rule, **self.get_empty_kwargs())

    def bind(self, map: Map, rebind: bool = False) -> None:
        """Read the rule with the converters and settings of its map."""
        if self._map is not None and not rebind:
            raise RuntimeError(f"url rule {self!r} is already bound to a map;"
                               f" add a copy of it: rule.empty()")
        # A map that is dropped goes at once, and its app: no cycle holds it.
        self._map = weakref.ref(map)
        if self.strict_slashes is None:
            self.strict_slashes = map.strict_slashes
        if self.merge_slashes is None:
            self.merge_slashes = map.merge_slashes
        if self.subdomain is None:
            self.subdomain = map.default_subdomain
        self._domain = self.host if map.host_matching else self.subdomain
        self.compile()

    def compile(self) -> None:
        """Read the text into a trace: (converter or None, name or text)."""
        self._spans = False     # whether a value may hold slashes
        self._converters: dict[str, Any] = {}
        self._trace: list[tuple[Any, str]] = []
        self._match: Any = None
        text = self.rule
        if self.merge_slashes and "//" in text:
            text = re.sub("/{2,}", "/", text)
        text = f"{self._domain}|{text}" if self._domain else text
        pieces: list[Any] = [*_VARIABLE_RE.split(text), None, None, None]
        for start in range(0, len(pieces), 4):
            text, kind, arguments, name = pieces[start:start + 4]
            if "<" in text:
                raise ValueError(f"malformed url rule: {text!r}; a variable is"
                                 f" <name> or <converter(arguments):name>")
            self._trace.append((None, text))
            if name:
                self._add(kind or "default", arguments or "", name)
        self._shape = "".join([f"<{data}>" if converter else data
                               for converter, data in self._trace])

    def _fixed_texts(self):
        """Return what is fixed in each part, and its places: all, front, end.

        Keep what stands between the variables of a part.
        """
        fixed, parts = [], self._parts()
        places: list[tuple] = []
        self._cuts: list[str] = []
        for position, part in enumerate(parts):
            front, end = part[0][1], part[-1][1]
            if len(part) == 1:
                fixed.append(front)
                places.append((position, None, None))
                continue
            fixed.append("".join([text for _, text in part[::2]]))
            if front:
                places.append((position, 0, len(front)))
            if end and not (self._spans and part is parts[-1]):
                places.append((position, -len(end), None))
            self._cuts += [text for _, text in part[2:-2:2]]
        return fixed, tuple(places)

    def _add(self, kind, arguments, name):
        """Add a variable to the trace."""
        map = self.map
        if name in self._converters:
            raise ValueError(f"URL rule {self.rule!r} has two variables"
                             f" {name!r}; rename one of them")
        if kind not in map.converters:
            raise LookupError(f"the converter {kind!r} of {self.rule!r} does"
                              f" not exist; the map has"
                              f" {', '.join(map.converters)}")
        converter = self._converter(map.converters[kind], arguments)
        if name in (self.defaults or ()):
            converter.to_url(self.defaults[name])
        self._converters[name] = converter
        self._trace.append((converter, name))
        self._spans |= not converter.part_isolating
        self.arguments.add(name)

    def _converter(self, kind, arguments):
        """Return a converter; rules share those of the classes above."""
        map, is_ours = self.map, kind in _CONVERTERS.values()
        if is_ours and (kind, arguments) in map._made:
            return map._made[kind, arguments]
        args, kwargs = _converter_arguments(arguments)
        converter = kind(weakref.proxy(map), *args, **kwargs)
        # The expression becomes a part of the rule's.
        converter.regex = converter.regex.removeprefix("^").removesuffix("$")
        try:
            re.compile(converter.regex)
        except re.error as error:
            raise ValueError(f"URL rule {self.rule!r}: {converter.regex!r} is"
                             f" no regular expression: {error}") from None
        if is_ours:
            map._made[kind, arguments] = converter
        return converter

    def _rank(self, places):
        """Set the key that puts special rules before general ones."""
        key: list[tuple] = []
        place = ""
        for part in self._parts():
            if len(part) == 1:
                place += "/" + part[0][1]
                key.append(())
                continue
            place += "/" + "".join([f"<{converter.regex}>" if converter
                                    else data for converter, data in part])
            weights = [converter.weight for converter, _ in part[1::2]]
            sizes = [-len(text) for _, data in part[::2]
                     for text in data.split("/") if text]
            key.append((-len(sizes), sizes, -len(weights), weights,
                        places.setdefault(place, len(places))))
        self._key = key

    def _parts(self):
        """Return the trace cut at slashes, up to a variable with slashes."""
        parts: list[list] = [[]]
        spans = False
        for converter, data in self._trace:
            if converter or spans or "/" not in data:
                parts[-1].append((converter, data))
                spans |= bool(converter and not converter.part_isolating)
                continue
            first, *others = data.split("/")
            parts[-1].append((None, first))
            parts += [[(None, other)] for other in others]
        return parts[:-1] if self.is_branch and not self._spans else parts

    @property
    def regex(self) -> str:
        """Return the expression that paths are compared with."""
        text = "".join(f"(?P<{data}>{converter.regex})" if converter
                       else re.escape(data) for converter, data in self._trace)
        if self._spans:  # Only there the last value may end with a slash.
            return f"{text[:-1]}(?<!/)/?" if self.is_branch else text
        return text + (
            "?" if self.is_branch else "" if self.strict_slashes else "/?")

    def _is_too_hard(self, text):
        """Tell whether there are too many ways to cut a path into values."""
        # Some are tried in vain: test_routing_takes_linear_time_for_a_path
        ways = math.prod(
            max(1, math.comb(text.count(cut), self._cuts.count(cut)))
            for cut in set(self._cuts))
        return ways * len(text) > _MOST_STEPS

    def _read(self, text):
        """Return the values in a path, or None if it does not fit."""
        values: dict[str, Any] = {}
        if self._match is None:
            self._match = re.compile(self.regex, re.ASCII).fullmatch
        if self._cuts and self._is_too_hard(text):
            return None
        found = self._match(text)
        if found is None:
            return None
        try:
            for name, converter in self._converters.items():
                text = found[name]
                if "/" in text and converter.part_isolating:
                    return None
                values[name] = converter.to_python(text)
        except ValidationError:
            return None
        if self.defaults:
            values.update(self.defaults)
        return values

    def build(self, values: Any, append_unknown: bool = True) -> Any:
        """Return (domain, path) with the values put in, or None."""
        known = {**values, **(self.defaults or {})}
        try:
            path = "".join([converter.to_url(known[data]) if converter
                            else quote(data, safe=_PATH_SAFE)
                            for converter, data in self._trace])
        except ValidationError:
            return None
        domain = ""
        if self._domain:
            domain, _, path = path.partition("%7C/")
            if not _is_valid_host(domain):
                return None
        pairs = iter_multi_items({
            name: value for name, value in values.items()
            if append_unknown and name not in self.arguments})
        map = self.map
        if map and map.sort_parameters:
            pairs = sorted(pairs, key=map.sort_key)
        query = _urlencode(pairs)
        return domain, f"{path}?{query}" if query else path

    def provides_defaults_for(self, rule: Rule) -> bool:
        """Return whether this is the short form of another rule."""
        return bool(self.defaults and not self.build_only and self != rule
                    and self.endpoint == rule.endpoint
                    and self.arguments == rule.arguments)

    def suitable_for(self, values: Any, method: str | None = None) -> bool:
        """Return whether the values fill the rule and the method fits."""
        defaults = self.defaults or {}
        return (
            (method is None or self.methods is None or method in self.methods)
            and self.arguments.issubset({*defaults, *values})
            and all(values.get(name, value) == value
                    for name, value in defaults.items()))

    def build_compare_key(self) -> tuple:
        """Return what sorts the rules of an endpoint for building."""
        return self.alias, -len(self.arguments), -len(self.defaults or ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._shape == other._shape

    __hash__: Any = None

    def __str__(self) -> str:
        return self.rule

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._map is None:
            return f"<{name} (unbound)>"
        methods = "" if self.methods is None else (
            f" ({', '.join(sorted(self.methods))})")
        return f"<{name} {self._shape!r}{methods} -> {self.endpoint}>"


class _RuleGroup(RuleFactory):
    """Copies of rules, all with the same change."""

    rules: Any
    _changed: Any  # Keyword arguments of a rule -> those of its copy.

    def get_rules(self, map: Map) -> Any:
        """Yield a changed copy of each rule."""
        for factory in self.rules:
            for rule in factory.get_rules(map):
                yield type(rule)(**self._changed(
                    {"string": rule.rule, **rule.get_empty_kwargs()}))


class Submount(_RuleGroup):
    """Rules below a path: `Submount("/blog", [Rule("/<slug>")])`."""

    def __init__(self, path: str, rules: Any) -> None:
        self.path, self.rules = path.rstrip("/"), rules

    def _changed(self, options):
        return {**options, "string": self.path + options["string"]}


class Subdomain(_RuleGroup):
    """Rules of a subdomain: `Subdomain("<user>", [Rule("/")])`."""

    def __init__(self, subdomain: str, rules: Any) -> None:
        self.subdomain, self.rules = subdomain, rules

    def _changed(self, options):
        return {**options, "subdomain": self.subdomain}


class EndpointPrefix(_RuleGroup):
    """Rules whose endpoints begin with a text."""

    def __init__(self, prefix: str, rules: Any) -> None:
        self.prefix, self.rules = prefix, rules

    def _changed(self, options):
        return {**options, "endpoint": self.prefix + options["endpoint"]}


class RuleTemplate:
    """Rules with `$name` to fill in: `RuleTemplate(rules)(name="user")`."""

    def __init__(self, rules: Any) -> None:
        self.rules = list(rules)

    def __call__(self, *args: Any, **kwargs: Any) -> RuleTemplateFactory:
        return RuleTemplateFactory(self.rules, dict(*args, **kwargs))


class RuleTemplateFactory(_RuleGroup):
    """The rules of a template, filled in."""

    def __init__(self, rules: Any, context: dict) -> None:
        self.rules, self.context = rules, context

    def _changed(self, options):
        return {name: string.Template(value).substitute(self.context)
                if isinstance(value, str) else self._changed(value)
                if isinstance(value, dict) else value
                for name, value in options.items()}


def _host(host):
    """Return a host in lower case and without the root's dot."""
    name, colon, port = host.lower().partition(":")
    return name.rstrip(".") + colon + port


class MapAdapter:
    """A map bound to a host, a mount point and the defaults of a request."""

    path_info: str
    default_method: str
    # `Map.bind` sets these; of a request they are read when they are needed.
    url_scheme = _variable("wsgi.url_scheme")
    script_name = cached_property(lambda self: _from_wsgi(
        self.environ.get("SCRIPT_NAME", "")).rstrip("/") + "/")
    query_args = cached_property(lambda self: _from_wsgi(
        self.environ.get("QUERY_STRING", "")))

    def __init__(self, map: Map, environ: Any = None,
                 server_name: str | None = None,
                 subdomain: str | None = None) -> None:
        self.map, self.environ, self._name = map, environ, server_name
        if environ is not None:
            path = environ.get("PATH_INFO", "")
            self.path_info = path if path.isascii() else _from_wsgi(path)
            self.default_method = environ["REQUEST_METHOD"]
        if subdomain is not None:
            self.subdomain = subdomain

    @cached_property
    def server_name(self) -> Any:
        """Return the host without the subdomain."""
        if self._name is None:
            return _host(get_host(self.environ))
        port = ":443" if self.url_scheme == "https" else ":80"
        return _host(self._name).removesuffix(port)

    @cached_property
    def subdomain(self) -> Any:
        """Return what the host has in front of the server's name."""
        if self.map.host_matching or self._name is None:
            return None if self.map.host_matching else ""
        name, host = self.server_name, _host(get_host(self.environ))
        if not f".{host}".endswith(f".{name}"):
            warnings.warn(f"Current server name {host!r} doesn't match"
                          f" configured server name {name!r}", stacklevel=3)
            return "<invalid>"
        return host[:-len(name)].removesuffix(".")

    @property
    def _domain(self):
        """Return what must stand before the paths of rules."""
        return self.server_name if self.map.host_matching else self.subdomain

    def match(self, path_info: str | None = None, method: str | None = None,
              return_rule: bool = False, query_args: Any = None) -> Any:
        """Return (endpoint or rule, values) for a path and a method.

        Raises NotFound, MethodNotAllowed or RequestRedirect.
        """
        map = self.map
        allowed: list = []
        path = self.path_info if path_info is None else path_info
        path = "/" + path.lstrip("/") if path else ""
        method = method.upper() if method else self.default_method
        domain = self.server_name if map.host_matching else self.subdomain
        domain = f"{domain}|" if domain else ""
        found = map._find(domain + path, method, allowed)
        if found is None:
            self._refuse(domain, path, method, allowed, query_args)
        rule, values, misses_slash = found
        if misses_slash:
            self._move(path + "/", query_args)
        if map._may_redirect:
            self._redirect(rule, values, method, query_args)
        return rule if return_rule else rule.endpoint, values

    def _refuse(self, domain, path, method, allowed, query_args):
        """Raise what is to be said of a path that leads nowhere as it is."""
        map = self.map
        if map.merge_slashes and "//" in path:
            path = re.sub("/{2,}", "/", path)
            found = map._find(domain + path, method, allowed)
            if found is not None and found[0].merge_slashes:
                self._move(path + "/" * found[2], query_args)
        raise MethodNotAllowed(sorted({*allowed})) if allowed else NotFound()

    def _move(self, path, query_args):
        raise RequestRedirect(self.make_redirect_url(
            quote(path, safe=_PATH_SAFE), query_args))

    def _redirect(self, rule, values, method, query_args):
        """Raise RequestRedirect if another URL is to be shown."""
        url, target = None, rule.redirect_to
        if self.map.redirect_defaults and rule.alias:
            domain, path = self._build(rule.endpoint, values, method, False)
            url = self.make_redirect_url(path, query_args, domain)
        elif self.map.redirect_defaults:
            url = self.get_default_redirect(rule, method, values, query_args)
        if url is None and callable(target):
            url = target(self, **values)
        elif url is None and target is not None:
            url = re.sub("<([^>]+)>", lambda found: rule._converters[
                found[1]].to_url(values[found[1]]), target)
            # A value at the front must not name another host.
            if target[:1] == "<" or target[:2] != "//" == url[:2]:
                url = "./" + url.lstrip("/")
        if url is not None:
            raise RequestRedirect(urljoin(self.make_redirect_url("", ""), url))

    def get_default_redirect(self, rule: Rule, method: str, values: Any,
                             query_args: Any) -> str | None:
        """Return the URL that leaves out what is a default, or None."""
        for other in itertools.takewhile(
                lambda other: other is not rule,
                self.map.iter_rules(rule.endpoint)):
            if (other.provides_defaults_for(rule)
                    and other.suitable_for(values, method)):
                domain, path = other.build(values)
                return self.make_redirect_url(path, query_args, domain)
        return None

    def make_redirect_url(self, path_info: str, query_args: Any = None,
                          domain_part: str | None = None) -> str:
        """Return the whole URL of a quoted path on this host."""
        query = self.query_args or "" if query_args is None else query_args
        if not isinstance(query, str):
            query = _urlencode(iter_multi_items(query))
        query = quote(query, _PATH_SAFE + "%?")
        return urlunsplit((
            self.url_scheme or "http", self.get_host(domain_part),
            self._below(path_info), query, None))

    def _below(self, path):
        """Return a path below the mount point; it begins with one slash."""
        root = self.script_name.strip("/")
        path = path.lstrip("/")
        return f"/{root}/{path}" if root else f"/{path}"

    def get_host(self, domain_part: str | None) -> str:
        """Return the host of a domain or subdomain; of None, this one."""
        domain = self._domain if domain_part is None else domain_part
        if self.map.host_matching:
            return domain
        return f"{domain}.{self.server_name}" if domain else self.server_name

    def dispatch(self, view_func: Any, path_info: str | None = None,
                 method: str | None = None,
                 catch_http_exceptions: bool = False) -> Any:
        """Match and return view_func(endpoint, values), or a redirect."""
        try:
            return view_func(*self.match(path_info, method))
        except HTTPException as error:
            if catch_http_exceptions or isinstance(error, RequestRedirect):
                return error
            raise

    def test(self, path_info: Any = None, method: Any = None) -> bool:
        """Return whether the path leads somewhere."""
        try:
            return bool(self.match(path_info, method))
        except HTTPException as error:
            return isinstance(error, RequestRedirect)

    def allowed_methods(self, path_info: str | None = None) -> list:
        """Return the methods that a path knows."""
        try:
            self.match(path_info, "--")
        except HTTPException as error:
            return getattr(error, "valid_methods", None) or []
        return []

    def build(self, endpoint: Any, values: Any = None,
              method: str | None = None, force_external: bool = False,
              append_unknown: bool = True, url_scheme: Any = None) -> str:
        """Return the URL of an endpoint; other values become its query.

        Raises BuildError if no rule fits.
        """
        if isinstance(values, MultiDict):
            values = {key: several[0] if len(several) == 1 else several
                      for key, several in values.lists() if several}
        values = {key: value for key, value in (values or {}).items()
                  if value is not None}
        domain, path = self._build(endpoint, values, method, append_unknown)
        path = self._below(path)
        if domain == self._domain and not force_external:
            return path
        scheme = self.url_scheme if url_scheme is None else url_scheme
        return f"{scheme}:".lstrip(":") + f"//{self.get_host(domain)}{path}"

    def _build(self, endpoint, values, method, append_unknown):
        """Return (domain, path) by the rule that fits best."""
        for wanted in [method] if method else [self.default_method, None]:
            first = None
            for rule in self.map.update().get(endpoint, ()):
                built = rule.suitable_for(values, wanted) and rule.build(
                    values, append_unknown)
                if built and (not self.map.host_matching
                              or built[0] == self.server_name):
                    return built
                first = first or built
            if first:
                return first
        raise BuildError(endpoint, values, method, self)


def _texts_at(places):
    """Return a function that takes the texts at these places of a path."""
    if places and not any(stop or start for _, start, stop in places):
        return operator.itemgetter(*[position for position, _, _ in places])
    return lambda parts: tuple([
        parts[position][start:stop] for position, start, stop in places])


class Map:
    """All rules, the settings they share, and the index to find them by."""

    default_converters: Any = _CONVERTERS

    def __init__(self, rules: Any = None, default_subdomain: str = "",
                 strict_slashes: bool = True, merge_slashes: bool = True,
                 redirect_defaults: bool = True, converters: Any = None,
                 sort_parameters: bool = False, sort_key: Any = None,
                 host_matching: bool = False) -> None:
        self.default_subdomain = default_subdomain
        self.host_matching = host_matching
        self.redirect_defaults = redirect_defaults
        self.strict_slashes, self.merge_slashes = strict_slashes, merge_slashes
        self.sort_parameters, self.sort_key = sort_parameters, sort_key
        self.converters = {**self.default_converters, **(converters or {})}
        self._rules: list[Rule] = []
        self._by_endpoint: tuple[int, dict] = 0, {}
        self._static: dict[str, list] = {}
        self._shapes: dict[tuple, tuple] = {}
        self._by_size: dict[int, list] = {}
        self._made: dict[tuple, Any] = {}
        self._longest = 0
        self._ranked = 0        # so many rules have their place
        self._may_redirect = False
        for factory in rules or ():
            self.add(factory)

    def add(self, rulefactory: RuleFactory) -> None:
        """Add a rule, or the rules of a factory."""
        for rule in rulefactory.get_rules(self):
            rule.bind(self)
            self._rules.append(rule)
            if rule.defaults or rule.alias or rule.redirect_to is not None:
                self._may_redirect = True
            if rule.build_only:
                continue
            if rule._converters:
                self._index_dynamic(rule)
            else:
                self._index_static(rule)

    def _index_static(self, rule):
        path = rule._shape[:-1] if rule.is_branch else rule._shape
        ends = 2 if rule.is_branch or not rule.strict_slashes else 1
        for end in ("", "/")[:ends]:
            rules = [*self._static.get(path + end, ()), rule]
            self._static[path + end] = sorted(
                rules, key=operator.attrgetter("is_branch"), reverse=bool(end))

    def _index_dynamic(self, rule):
        fixed, places = rule._fixed_texts()
        size = len(fixed)
        self._longest = max(self._longest, size)
        shape = -size if rule._spans else size, places
        if shape not in self._shapes:
            self._shapes[shape] = _texts_at(places), {}
        texts_at, table = self._shapes[shape]
        table.setdefault(texts_at(fixed), []).append(rule)
        self._by_size = {}

    def _shapes_of(self, size):
        """Return the tables that may know a path of so many parts."""
        size = min(size, self._longest + 1)     # Those with "path" go on.
        known = self._by_size   # Another thread may add a rule meanwhile.
        shapes = known.get(size)
        if shapes is None:
            shapes = known[size] = [
                shape for (length, _), shape in [*self._shapes.items()]
                if length == size or -size - 1 <= length < 0]
        return shapes

    def _dynamic(self, text):
        """Return rules whose fixed parts are in a path, special ones first."""
        slash = text.endswith("/")
        parts, found = (text[:-1] if slash else text).split("/"), []
        for texts_at, table in self._shapes_of(len(parts)):
            found += table.get(texts_at(parts), ())
        if len(found) > 1:
            if self._ranked != len(self._rules):
                self._rank()
            found.sort(key=lambda rule: (rule._key, rule.is_branch != slash))
        return found

    def _rank(self):
        """Give the rules their places in the order, which two threads may."""
        rules = self._rules[:]
        places: dict[str, int] = {}
        for rule in rules:
            if rule._converters:
                rule._rank(places)
        self._ranked = len(rules)

    def _find(self, text, method, allowed):
        """Return (rule, values, whether a slash is missing), or None.

        `allowed` collects the methods of rules that know the path.
        """
        rules, found = self._static.get(text), None
        if rules is not None:
            found = self._first(rules, text, method, allowed)
        if found is None and self._shapes:
            found = self._first(self._dynamic(text), text, method, allowed)
        return found

    def _first(self, rules, text, method, allowed):
        for rule in rules:
            values = (rule._read(text) if rule._converters
                      else dict(rule.defaults) if rule.defaults else {})
            if values is None:
                continue
            misses_slash = rule.is_branch and not text.endswith("/")
            if rule.methods is None or method in rule.methods:
                return rule, values, misses_slash and rule.strict_slashes
            if not misses_slash:
                allowed += rule.methods
        return None

    def update(self) -> dict:
        """Return the rules of each endpoint in the order for building."""
        count, endpoints = self._by_endpoint
        if count != len(self._rules):
            count, endpoints = len(self._rules), {}
            for rule in self._rules[:count]:
                endpoints.setdefault(rule.endpoint, []).append(rule)
            for rules in endpoints.values():
                rules.sort(key=operator.methodcaller("build_compare_key"))
            self._by_endpoint = count, endpoints
        return endpoints

    def iter_rules(self, endpoint: Any = None) -> Any:
        """Return an iterator over all rules or over those of an endpoint."""
        if endpoint is not None:
            return iter(self.update()[endpoint])
        return itertools.chain.from_iterable(self.update().values())

    def is_endpoint_expecting(self, endpoint: Any, *arguments: str) -> bool:
        """Return whether a rule of an endpoint has all these variables."""
        return any(rule.arguments.issuperset(arguments)
                   for rule in self.iter_rules(endpoint))

    def bind(self, server_name: str, script_name: str | None = None,
             subdomain: str | None = None, url_scheme: str = "http",
             default_method: str = "GET", path_info: str | None = None,
             query_args: Any = None) -> MapAdapter:
        """Return an adapter for a host."""
        if self.host_matching and subdomain is not None:
            raise RuntimeError("host matching enabled and a subdomain was"
                               " provided; put it into server_name")
        if subdomain is None and not self.host_matching:
            subdomain = self.default_subdomain
        adapter = MapAdapter(self)
        adapter.server_name, adapter.subdomain = _host(server_name), subdomain
        adapter.script_name = (script_name or "").rstrip("/") + "/"
        adapter.path_info = "/" if path_info is None else path_info
        adapter.url_scheme, adapter.query_args = url_scheme, query_args
        adapter.default_method = default_method
        return adapter

    def bind_to_environ(self, environ: Any, server_name: str | None = None,
                        subdomain: str | None = None) -> MapAdapter:
        """Return an adapter for a request.

        With a server_name the subdomain is what the Host has in front of it.
        """
        if type(environ) is not dict:
            environ = getattr(environ, "environ", environ)
        return MapAdapter(self, environ, server_name, subdomain)

    def __repr__(self) -> str:
        import pprint  # Costs 2 ms at start and is only needed here.
        rules = pprint.pformat(list(self.iter_rules()))
        return f"{type(self).__name__}({rules})"


# =============================================================================
# 15. Templates
# =============================================================================
#
# A template is a text with holes, as string.Template has it: $name is a value,
# $$ a dollar.  Added are expressions, ${user.name | title}, and statements,
# $for user in users: ... $end.  Both are read by Python's own parser.
#
# Split: a regular expression cuts the text into texts, values, statements.
# Parse: Python reads them; four operators (. [] | is) mean what they mean in a
# page.  Generate: the syntax tree of a generator function that yields the
# page; its lines are the template's own, so that tracebacks show the page.
#
# The promise: a template reaches what it was given and a few builtins.  Names
# with two leading underscores and attributes that lead from a function or
# frame to its globals are refused, also where str.format would walk to them.
# Not promised: that a template ends, or that what it is given is harmless (an
# app's `config` can run a file).  Values are escaped for text and for quoted
# attributes; a script needs | tojson, a user's link a look at its scheme.

_STATEMENTS = ("if elif else for break continue set include extends block def"
               " call import from raw end").split()
_WITH_COLON = ("if", "elif", "else", "for", "block", "def", "call", "raw")
_ALONE = ("else", "break", "continue", "raw", "end")
_INTROSPECTION = frozenset("""
    ag_await ag_code ag_frame co_code co_consts co_names cr_await cr_code
    cr_frame cr_origin f_back f_builtins f_code f_globals f_locals f_trace
    func_closure func_code func_globals gi_code gi_frame gi_yieldfrom im_func
    im_self mro tb_frame tb_next""".split())
# What people who know other languages write -> what to write here.
_FOREIGN = {
    "macro": "'def'", "while": "'for'", "with": "'set'",
    "elseif": "'elif'", "elsif": "'elif'", "autoescape": "'| safe'",
    "filter": "the filter behind each value"}
_HABITS = [(_Regex(pattern), hint) for pattern, hint in (
    (rf"\b({'|'.join(keyword.kwlist)})\s*=(?!=)",
     r"'\1' is a word of Python; write \1_=... or **{'\1': ...}"),
    (rf"\.\s*({'|'.join(keyword.kwlist)})\b",
     r"'\1' is a word of Python; write ['\1']"),
    (r"&&", "'&&' is no operator; write 'and'"),
    (r"\|\|", "'||' is no operator; write 'or'"),
    (r"([=!]=)=", r"'\1=' is no operator; write '\1'"),
    (r"!(?=\s*[\w(])", "'!' is no operator; write 'not'"),
    (r"\?", "'?' is no operator; write 'yes if test else no'"),
    (r"~", "'~' joins no texts; write f'{one}{two}'"),
    (r"\$(?=\w)", "names have no '$' inside of an expression"),
    (r"\bis\s+(not\s+|)in\b", r"'is \1in' is written '\1in'"),
    (r"(?:\||\bis(?:\s+not)?)\s*\b(\w+)"
     r"(?:\s*:|\s+(?!(?:and|or|if|else|in|is|not)\b)[\w'[{])",
     r"arguments stand in parentheses; write \1(...)"),
    (r"^(?!.*\bfor\b).*\bif\b(?!.*\belse\b)",
     "'if' needs an 'else', but not in [x for x in y if test]"),
    (r"\b(with(?:out)?) context$",
     r"a page sees the names at its place; leave '\1 context' out"),
    (r"\bignore missing$",
     "'ignore missing' is written with a page to take: ['a', 'empty']"))]
# What ends a statement, and what may be meant to.
_END = rf"end(?:{'|'.join([*_STATEMENTS, *_FOREIGN])})?"
_WORD = rf"(?:{'|'.join(_STATEMENTS)}|{_END})(?![^\s:(])"
_FOREIGN_LINE = rf"(?:{'|'.join(_FOREIGN)})[ \t][^\n]*:[ \t]*"
# What is a statement in braces, too; others may be a value, ${set | length}.
_STATEMENT_RE = _Regex(
    rf"(?s){_END}|{_FOREIGN_LINE}|{_WORD}.*:|(?:include|extends) \[.*")
# A statement in the middle of a line.
_MIDDLE_RE = _Regex(r"(?:(?:el)?if|for)[ \t(][^\n$:]*:|else:")
# Where "${" ends: braces are counted, but not those inside of strings.
_CODE_RE = _Regex(r'''
    """(?:[^\\]|\\.)*?""" | \'\'\'(?:[^\\]|\\.)*?\'\'\'
    | """ | \'\'\' | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | [{}"']
    ''', re.VERBOSE | re.DOTALL)
_SAFELY = frozenset(["format", "format_map", *dir(dict)])
_DEEPEST = 100  # Templates inside templates.
_MOST_KEPT = 200  # Compiled texts that are kept for the next time.
_ESCAPED = (".html", ".htm", ".xml", ".xhtml", ".svg")


class TemplateError(Exception):
    """Base of what goes wrong with templates."""


class TemplateNotFound(TemplateError, LookupError):
    """None of the names is that of a template."""

    def __init__(self, *names: str, places: Iterable[str] = ()) -> None:
        where = " or ".join(map(repr, places))
        super().__init__(f"no template {' or '.join(map(repr, names))}"
                         + f" in {where}" * bool(where))
        self.name, self.templates = names[-1] if names else None, list(names)


class TemplateSyntaxError(TemplateError):
    """A template can't be read; `lineno` and `column` say where."""

    def __init__(self, message: str, lineno: int, column: int,
                 name: str, line: str) -> None:
        super().__init__(f"{message}\n  {name}, line {lineno}, column {column}"
                         f"\n    {line}\n    {' ' * (column - 1)}^")
        self.message, self.name = message, name
        self.lineno, self.column = lineno, column


class TemplateRuntimeError(TemplateError):
    """A template can't go on."""

class UndefinedError(TemplateRuntimeError):
    """Something that is missing was used."""


def _nearest(name, known):
    """Return "; did you mean 'name'?", or nothing."""
    import difflib  # Costs 3 ms at start and is only needed here.
    near = difflib.get_close_matches(name, map(str, known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


class Undefined:
    """What is missing: it may be asked, but not used.

    It is false, equals only its like, and what is in it is undefined, too.  To
    print, call or loop over it or to compute with it raises UndefinedError.
    """

    def __init__(self, what: str, name: str = "", owner: Any = None,
                 hint: str = "") -> None:
        # Of two underscores, so that a template can't ask for it.
        self.__undefined__ = what, name, owner, hint

    def _fail(self, *args, **options):
        frame: Any = sys._getframe(1)
        while frame and "__page" not in frame.f_globals:
            frame = frame.f_back
        place = (f" in {frame.f_globals['__page']}, line {frame.f_lineno}"
                 if frame else "")
        what, name, owner, near = self.__undefined__
        if name:
            known = dir(owner)
            if isinstance(owner, Mapping):
                known += map(str, owner)
            what, near = f"{what} {name!r}", _nearest(name, known) or near
        raise UndefinedError(f"{what}{place}{near}")

    def __getattr__(self, name: str) -> Undefined:
        _check_name(name, AttributeError)
        return self

    def __getitem__(self, key: Any) -> Undefined:
        return self

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Undefined)

    def __hash__(self) -> int:
        return hash(Undefined)

    def __repr__(self) -> str:
        return "Undefined"

    __str__ = __iter__ = __len__ = __call__ = __contains__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _fail
    __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __index__ = _fail
    __abs__ = __round__ = __invert__ = __and__ = __xor__ = __matmul__ = _fail


class _Empty(Undefined):
    """What is missing where TEMPLATES_UNDEFINED is "empty"."""

    def __str__(self) -> str:
        return ""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


# -- what the function of a page calls


def _html(value):
    kind = type(value)
    if kind is str:
        if ("<" in value or "&" in value or ">" in value or '"' in value
                or "'" in value):
            return _escaped(value)
        return value
    return str(value) if kind is int else escape(value)


def _check_name(name, error: Any = TemplateRuntimeError):
    """Refuse a name that leads out of what a template was given."""
    if name.startswith("__") or name in _INTROSPECTION:
        raise error(f"a template may not use the name {name!r}")


def _lookup(value, name, undefined=Undefined):
    """Return value.name, else value["name"], else Undefined."""
    if type(value) is dict:  # Its own names are asked for safely.
        if name in value:
            return value[name]
        return undefined("dict object has no", name, value)
    try:
        return getattr(value, name)
    except AttributeError:
        pass
    try:
        return value[name]
    except (AttributeError, LookupError, TypeError):
        return undefined(f"{type(value).__name__} object has no", name, value)


def _safe_attribute(value, name, undefined=Undefined):
    """Return an attribute or item whose name was computed."""
    if not isinstance(name, str):
        return undefined(f"{type(value).__name__} object has no '{name}'")
    name = str.__str__(name)  # One of a subclass could show two faces.
    _check_name(name)
    if name in ("format", "format_map") and isinstance(value, (str, type)):
        return functools.partial(_safe_format, value, name)
    if type(value) is dict and hasattr(dict, name):
        return getattr(value, name)
    return _lookup(value, name, undefined)


def _safe_item(value, key, undefined=Undefined):
    """Return value[key], else the attribute of that name, else Undefined."""
    try:
        return value[key]
    except (AttributeError, LookupError, TypeError):
        return _safe_attribute(value, key, undefined)


class _SafeFormatter(EscapeFormatter):
    """str.format for templates: it walks only where they may walk."""

    def get_field(self, field_name, args, kwargs):
        for name in re.split(r"[.\[]", field_name):
            _check_name(name)
        return super().get_field(field_name, args, kwargs)


def _safe_format(text, method, /, *args, **options):
    if isinstance(text, type):
        raise TemplateRuntimeError(f"call {method!r} of a text, not of {text}")
    kind = type(text) if isinstance(text, Markup) else str
    formatter = _SafeFormatter(escape if kind is not str else str)
    if method == "format_map":
        return kind(formatter.vformat(text, (), *args))
    return kind(formatter.vformat(text, args, options))


def _bound(environment, function):
    """Return a filter or test, with the environment if it wants it."""
    if getattr(function, "pass_environment", False):
        return functools.partial(function, environment)
    return function


def _macro(kind, function):
    """Return a function that returns as one text what a generator yields."""
    # Python names it when it is called with wrong arguments.
    function.__qualname__ = function.__name__
    return lambda *args, **options: kind("".join(function(*args, **options)))


class _Loop:
    """What `loop` is inside of $for."""

    index0, index = -1, 0  # Of the class, where the compiler looks for them.

    def __init__(self, items, depth, undefined=Undefined):
        self._items, self._rest, self.depth = items, iter(items), depth
        self._undefined = undefined
        self._item = self.previtem = undefined("loop.previtem is undefined")
        self._next = next(self._rest, _missing)

    def __iter__(self):
        while self._next is not _missing:
            self.previtem, self._item = self._item, self._next
            self._next = next(self._rest, _missing)
            self.index0, self.index = self.index, self.index + 1
            yield self._item

    revindex = property(lambda self: self.length - self.index0)
    revindex0 = property(lambda self: self.length - self.index0 - 1)
    first = property(lambda self: self.index0 == 0)
    last = property(lambda self: self._next is _missing)

    @property
    def nextitem(self):
        if self._next is _missing:
            return self._undefined("loop.nextitem is undefined")
        return self._next

    @property
    def length(self):
        try:
            return len(self._items)
        except TypeError:  # An iterator; its items are taken out.
            rest = list(self._rest)
            self._rest = iter(rest)
            return self.index + (self._next is not _missing) + len(rest)

    def cycle(self, *values):
        return values[self.index0 % len(values)]


class _Context(dict):
    """The names of a page at one place: given ones, globals, builtins."""

    __slots__ = ("template", "given", "chains", "depth")

    def __init__(self, names, template, given, depth=0, chains=None):
        super().__init__(names)
        self.template, self.given, self.depth = template, given, depth
        # Block -> the functions for it, that of the innermost template first.
        self.chains = {} if chains is None else chains

    def __missing__(self, name):
        environment = self.template.environment
        for names in (environment.globals, _BUILTINS):
            if name in names:
                return names[name]
        if name in _STATEMENTS:
            return environment.undefined(
                f"there is no {name!r}", hint="; a statement stands alone on"
                " its line or in braces")
        return environment.undefined(
            "there is no", name, self, "; text with a '$' of its own stands"
            " between $raw: and $end")

    def __dir__(self):
        return [*self.template.environment.globals, *_BUILTINS]

    def named(self, kind, name):
        """Return a filter or a test."""
        environment = self.template.environment
        function = getattr(environment, kind)[name]
        plain = getattr(function, "plain", None)
        if plain is not None and self.template.kind is str:
            function = plain
        return _bound(environment, function)

    def page(self):
        """Yield the page."""
        if self.depth > _DEEPEST:
            raise TemplateRuntimeError(
                f"{self.template.name!r} is {self.depth} templates deep; does"
                " it include, import or extend itself?")
        root, blocks = self.template._functions
        for name, function in blocks.items():
            self.chains.setdefault(name, []).append((self.template, function))
        return root(self)

    def _inner(self, name, names, chains=None):
        template = self.template.environment.get_template(name)
        return _Context(names, template, self.given, self.depth + 1, chains)

    def include(self, name, here, chains=None, **loop):
        """Yield another page; a layout gets the blocks of this one."""
        return self._inner(name, {**self, **here, **loop}, chains).page()

    def module(self, name):
        """Return the names that another template defines."""
        page = self._inner(name, self.given).page()
        try:
            while True:
                next(page)
        except StopIteration as end:
            return types.SimpleNamespace(**end.value)

    def block(self, name, here, level=0, **loop):
        """Yield a block, as the innermost template that has it defines it."""
        here = {**here, **loop}
        chain = self.chains[name]
        template, function = chain[level]
        inner = _Context({**self, **here}, template, self.given, self.depth,
                         self.chains)
        inner["super"] = Undefined(f"block {name!r} overrides no other")
        if level + 1 < len(chain):
            inner["super"] = lambda: template.kind(
                "".join(self.block(name, here, level + 1)))
        return function(inner)


_BUILTINS: dict[str, Any] = {
    "true": True, "false": False, "none": None, **{
    function.__name__: function for function in (
        abs, all, any, bool, dict, enumerate, float, int, len, list, max, min,
        range, reversed, round, set, sorted, str, sum, tuple, zip)}}


# -- split


@functools.lru_cache(None)
def _pattern(delimiter, name):
    """Return the expression for what stands behind a delimiter."""
    mark = re.escape(delimiter)
    return re.compile(rf"""
        ^[ \t]*{mark} (?: (?P<line> {_WORD} [^\n]*? | {_FOREIGN_LINE} )
                          | (?P<comment> \# ) [^\n]* ) (?: \r?\n | \Z )
        | {mark} (?: (?P<escaped> {mark} ) | (?P<name> (?i:{name}) )
                     | (?P<brace> {{ ) )""", re.VERBOSE | re.MULTILINE)


def _statement(code):
    """Return the one statement that Python reads in code, or None."""
    try:
        [statement] = ast.parse(code).body
    except (MemoryError, RecursionError, SyntaxError, ValueError):
        return None
    # A text that ends in "#" could bring a body in place of our "pass".
    inner = [part for field in ("body", "orelse", "type_params")
             for part in getattr(statement, field, ())]
    if len(inner) > 1 or not all(isinstance(part, ast.Pass) for part in inner):
        return None
    return statement


# A piece of a template: its word is "text", "name", "value" or a statement's.
_Piece = collections.namedtuple("_Piece", "word text position start")


class _Splitter:
    """Cuts a template into pieces and knows where they were."""

    def __init__(self, template: Any) -> None:
        self.template, self.text = template, template.template
        self.lines = [0, *(m.end() for m in re.finditer("\n", self.text))]

    def place(self, position: int) -> tuple[int, int]:
        """Return line and column, both counted from 1."""
        line = bisect.bisect(self.lines, position)
        return line, position - self.lines[line - 1] + 1

    def error(self, message, position):
        """Return the error to raise about what stands at a position."""
        line, column = self.place(position)
        text = self.text[self.lines[line - 1]:].partition("\n")[0]
        return TemplateSyntaxError(
            message, line, column, self.template.label, text.rstrip("\r"))

    def pieces(self) -> Iterator[_Piece]:
        text, delimiter, end = self.text, self.template.delimiter, 0
        search = _pattern(delimiter, self.template.idpattern).search
        found = search(text)
        while found:
            start, kind, piece = found.start(), found.lastgroup, None
            if start > end:
                yield _Piece("text", text[end:start], end, end)
            end = found.end()
            if kind == "escaped":
                piece = _Piece("text", delimiter, start, start)
            elif kind == "name":
                self.check_middle(found[kind], found.start(kind), start)
                piece = _Piece(kind, found[kind], found.start(kind), start)
            elif kind == "line":
                code = found.start(kind)
                piece = self.statement(
                    found[kind], code, code - len(delimiter))
                end = found.end(kind) if piece.word == "include" else end
            elif kind == "brace":
                piece, end = self.braced(start, end)
            if piece is not None and piece.word == "raw":
                piece, end = self.raw(piece, end)
            if piece is not None:
                yield piece
            found = search(text, end)
        if end < len(text):
            yield _Piece("text", text[end:], end, end)

    def check_middle(self, word, position, start):
        """Refuse a name that is meant to be a statement."""
        if _MIDDLE_RE.match(self.text, position):
            mark = self.template.delimiter
            raise self.error(
                f"{word!r} stands alone on its line; inside of a line write"
                f" {mark}{{{word} ...:}} and {mark}{{end}}", start)

    def statement(self, code, position, start):
        """Return a statement: its word, and what follows without the colon."""
        word = code[:len(code) - len(code.lstrip(string.ascii_lowercase))]
        if word not in _STATEMENTS:
            raise self.error(f"there is no statement {word!r}; write"
                             f" {_FOREIGN.get(word, repr('end'))}", start)
        rest = code[len(word):].strip()
        position += code.index(rest, len(word))
        if word in _WITH_COLON:
            if not rest.endswith(":"):
                note = ("; a comment stands on a line of its own"
                        if re.search(r":\s*#", rest) else
                        "; what follows stands on the next line, or all of it"
                        " in braces" if re.search(r":\s", rest) else "")
                raise self.error(
                    f"{word!r} has no colon at its end{note}", start)
            rest = rest[:-1].rstrip()
        if word in _ALONE and rest:
            raise self.error(
                f"{word!r} takes nothing behind it, found {rest!r}", start)
        if word not in _ALONE and not rest:
            raise self.error(f"{word!r} needs something behind it", start)
        return _Piece(word, rest, position, start)

    def braced(self, start, position):
        """Return the value or statement in braces, and where they end."""
        if self.text.startswith("#", position):
            return None, self.closing(start, position, re.compile("[{}]")) + 1
        end = self.closing(start, position, _CODE_RE)
        code = self.text[position:end]
        position += len(code) - len(code.lstrip())
        code = code.strip()
        if not code:
            raise self.error("an expression is missing", start)
        if _STATEMENT_RE.fullmatch(code) or (
                re.match(_WORD, code) and not _statement(f"({code}\n)")):
            return self.statement(code, position, start), end + 1
        return _Piece("value", code, position, start), end + 1

    def closing(self, start, position, marks):
        """Return where the brace is that closes the one at the start."""
        depth = 1
        for found in marks.finditer(self.text, position):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if depth == 0:
                return found.start()
            if found[0] in ("'", '"', "'''", '"""'):
                raise self.error("a text has no closing quote", found.start())
        raise self.error(
            f"'{self.template.delimiter}{{' is never closed", start)

    def raw(self, piece, position):
        """Return the text up to the end of $raw, and where that is."""
        mark = re.escape(self.template.delimiter)
        found = re.compile(rf"^[ \t]*{mark}end[ \t\r]*(?:\n|\Z)|{mark}{{end}}",
                           re.MULTILINE).search(self.text, position)
        if found is None:
            raise self.error("'raw' has no 'end'", piece.start)
        text = self.text[position:found.start()]
        return _Piece("text", text, position, position), found.end()


# -- parse


def _at(node, new):
    """Return a new node, at the place of another."""
    new.lineno, new.col_offset = node.lineno, node.col_offset
    new.end_lineno = node.end_lineno
    new.end_col_offset = node.end_col_offset
    return new


def _call(function, arguments, node):
    """Return the call of a function, at the place of a node."""
    name = _at(node, ast.Name(function, ast.Load()))
    return _at(node, ast.Call(name, arguments, []))


def _shown(value):
    """Return the part of a text that prints a value."""
    text = _call("__text", [value], value)
    return _at(value, ast.FormattedValue(text, -1))


def _mistake(piece):
    """Return what may be wrong about code that Python can't read."""
    # What stands in quotes is no code; a long search is no hint.
    code = _CODE_RE.sub(
        lambda m: m[0] if m[0] in "{}" else "''", piece.text[:500])
    for pattern, hint in _HABITS:
        found = pattern.search(code)
        if found:
            return found.expand(hint)
    kind = "expression" if piece.word == "value" else f"part of {piece.word!r}"
    return f"Python can't read the {kind} {piece.text!r}"


class _Parser(_Splitter, ast.NodeTransformer):
    """Gives Python's operators the meaning that they have in a page."""

    def __init__(self, template):
        super().__init__(template)
        self.scope: Any = None  # The function that is being made.
        self.loops: list[str] = []  # The variables of the open $for.
        self.used_loops: set[str] = set()

    def python(self, piece, form):
        """Return the one statement that Python reads, with its meaning."""
        statement = _statement(form.replace("{}", piece.text))
        if statement is None:
            raise self.error(_mistake(piece), piece.position)
        line, column = self.place(piece.position)
        self.moved = line - 1, column - 1 - form.index("{}")
        self.start = piece.position
        return self.visit(statement)

    def expression(self, piece):
        return self.python(piece, "return ({}\n)").value

    def page_name(self, piece):
        """Return the expression for the name of another template."""
        if re.fullmatch(r"[\w./-]+\.(?:html?|txt|xml|j2|jinja2?)", piece.text):
            raise self.error(
                "the name of a template stands in quotes; write"
                f" {piece.word} {piece.text!r}", piece.position)
        return self.expression(piece)

    def placed(self, node):
        """Give a node its line and column in the template."""
        lines, columns = self.moved
        if node.lineno == 1:
            node.col_offset = max(0, node.col_offset + columns)
        if node.end_lineno == 1:
            node.end_col_offset = max(0, node.end_col_offset + columns)
        node.lineno += lines
        node.end_lineno += lines
        return node

    def wrong(self, message, node):
        """Return the error to raise about a node."""
        line = self.lines[node.lineno - 1]
        start = max(line, self.start)
        # Python counts bytes, but the characters of what stands before it.
        code = self.text[start:].encode(errors="surrogatepass")
        before = code[:node.col_offset - (start - line)]
        return self.error(message, start + len(before.decode(errors="ignore")))

    def check(self, name, node):
        _check_name(name, lambda message: self.wrong(message, node))

    def check_read(self, node):
        if isinstance(node.ctx, ast.Store):
            raise self.wrong("only names can be set", node)

    def visit(self, node):
        if hasattr(node, "lineno"):
            self.placed(node)
        return super().visit(node)

    def visit_NamedExpr(self, node):
        raise self.wrong(
            "':=', 'yield' and 'await' are not part of templates", node)

    visit_Yield = visit_YieldFrom = visit_Await = visit_NamedExpr

    def visit_Name(self, node):
        """Note a name that is used; `loop` is that of the inmost $for."""
        self.check(node.id, node)
        if isinstance(node.ctx, ast.Load):
            if node.id == "loop" and self.loops:
                node.id = self.loops[-1]
                self.used_loops.add(node.id)
            else:
                self.scope.used.add(node.id)
        return node

    def visit_arg(self, node):
        self.check(node.arg, node)
        return self.generic_visit(node)

    def visit_Attribute(self, node):
        """Turn `user.name` into a call that asks for the item, too."""
        self.check_read(node)
        value = node.value = self.visit(node.value)
        self.check(node.attr, node)
        if (isinstance(value, ast.Name) and value.id.startswith("__loop")
                and hasattr(_Loop, node.attr)):
            return node
        name = _at(node, ast.Constant(node.attr))
        function = ("__safe_attribute" if node.attr in _SAFELY
                    else "__attribute")
        return _call(function, [value, name], node)

    def visit_Subscript(self, node):
        """Turn `user["name"]` into a call that asks for the attribute, too."""
        self.check_read(node)
        node.value, node.slice = self.visit(node.value), self.visit(node.slice)
        parts = getattr(node.slice, "elts", [node.slice])
        if any(isinstance(part, ast.Slice) for part in parts):
            return node
        return _call("__item", [node.value, node.slice], node)

    def visit_BinOp(self, node):
        """Turn `value | name(arguments)` into the call of a filter."""
        if not isinstance(node.op, ast.BitOr):
            return self.generic_visit(node)
        value = self.visit(node.left)
        return self.named("filter", node.right, value)

    def visit_Compare(self, node):
        """Turn `value is name(arguments)` into the call of a test."""
        asks = [isinstance(op, (ast.Is, ast.IsNot)) and not (
                    isinstance(right, ast.Constant)
                    and isinstance(right.value, (bool, type(None))))
                for op, right in zip(node.ops, node.comparators)]
        if not any(asks):
            return self.generic_visit(node)
        if len(asks) > 1:
            raise self.wrong("a test stands in no chain; use 'and'", node)
        value = self.visit(node.left)
        test = self.named("test", node.comparators[0], value)
        if isinstance(node.ops[0], ast.Is):
            return test
        return _at(node, ast.UnaryOp(ast.Not(), test))

    def named(self, kind, node, value):
        """Return the call of a filter or a test with a value."""
        self.placed(node)
        name = node
        if isinstance(node, ast.Call):
            name = self.placed(node.func)
        if not isinstance(name, ast.Name):
            raise self.wrong(
                f"the name of a {kind} must stand here; what goes on with its"
                f" result is written (value | {kind}).name", node)
        known = getattr(self.template.environment, f"{kind}s")
        if name.id not in known:
            raise self.wrong(f"no {kind} is named {name.id!r}"
                             f"{_nearest(name.id, known)}", name)
        self.scope.named.add((kind, name.id))
        call = _call(f"__{kind}_{name.id}", [value], node)
        if isinstance(node, ast.Call):
            call.args += map(self.visit, node.args)
            call.keywords += map(self.visit, node.keywords)
        return call


# -- generate


class _Scope:
    """One function of a page while it is made."""

    is_silent = False  # True outside of the blocks of a page that extends.

    def __init__(self, outer=None, own=()):
        self.outer, self.own = outer, set(own)
        self.used: set[str] = set()  # Names that its expressions ask for.
        self.set: set[str] = set()  # Names that its statements set.
        self.named: set = outer.named if outer else set()  # (kind, name)
        self.here = ast.Dict([], [], lineno=1, col_offset=0)
        self.inner: list = outer.inner if outer else []
        self.inner.append(self)

    def visible(self):
        """Return the names that another page gets to see here."""
        return self.set | self.own | (
            self.outer.visible() if self.outer else set())

    def prelude(self):
        """Return the statements that take names out of the context."""
        names = self.set - self.own if self.outer else self.set | self.used
        lines = [f"{name} = __context[{name!r}]" for name in sorted(names)]
        if not self.outer:
            lines += [f"__{kind}_{name} = __context.named('{kind}s', {name!r})"
                      for kind, name in sorted(self.named)]
        return _snippet("\n".join(lines))


def _snippet(code, line=1):
    """Return statements that no piece holds, as of one line."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.arg)):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    return tree.body


class _Text(ast.JoinedStr):
    """A text of a page; others are f-strings of its expressions."""


def _text(statements):
    """Return the one text that statements print, or None if they do more."""
    if not statements:
        return ast.Constant("", lineno=1, col_offset=0)
    node = statements[0]
    if len(statements) == 1 and isinstance(node, ast.If):
        body, orelse = _text(node.body), _text(node.orelse)
        if body is not None and orelse is not None:
            return _at(node, ast.IfExp(node.test, body, orelse))
    value = getattr(getattr(node, "value", None), "value", None)
    return value if len(statements) == 1 and isinstance(value, _Text) else None


class _Compiler(_Parser):
    """Makes the syntax tree of a template's functions."""

    def __init__(self, template):
        super().__init__(template)
        pieces = list(self.pieces())
        # What a template prints beside its blocks is not part of the layout.
        self.is_child = any(piece.word == "extends" for piece in pieces)
        self.rest = iter(pieces)
        self.open: list[Any] = []
        self.numbers = itertools.count(1)
        self.blocks: dict[str, Any] = {}
        self.parent: Any = None

    def line(self, piece):
        return self.place(piece.start)[0]

    def module(self):
        """Return the tree of __root and of a function for each block."""
        root = self.function("__root", None)
        return ast.Module([root, *self.blocks.values()], [])

    def function(self, name, opener):
        """Return the function of a page or a block, which takes a context."""
        saved = self.scope, self.loops
        self.scope, self.loops = scope, _ = _Scope(), []
        scope.is_silent = self.is_child and opener is None
        [function] = _snippet(f"def {name}(__context):\n if 0: yield")
        body, _ = self.body(opener)
        if opener is None:
            body += self.tail()
        function.body = [*scope.prelude(), *body, *function.body]
        for inner in scope.inner:
            here = "".join(f"{name!r}: {name}," for name in inner.visible())
            [made] = _snippet(f"{{{here}}}")
            inner.here.keys, inner.here.values = (
                made.value.keys, made.value.values)
        self.scope, self.loops = saved
        return function

    def closure(self, node, opener):
        """Give the function of a macro or a $call its body."""
        outer, args = self.scope, node.args
        self.scope = scope = _Scope(outer, [arg.arg for arg in (
            *args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg,
            args.kwarg) if arg])
        body, _ = self.body(opener)
        if opener.word == "def" and "caller" in scope.used - scope.own:
            [extra] = _snippet("lambda *, caller=__no_caller: 0")
            args.kwonlyargs += extra.value.args.kwonlyargs
            args.kw_defaults += extra.value.args.kw_defaults
            scope.own.add("caller")
        node.body = [*scope.prelude(), *body, *_snippet("if 0: yield")]
        node.returns = None
        [decorator] = _snippet("__macro", node.lineno)
        node.decorator_list = [decorator.value]
        outer.used |= scope.used - scope.set - scope.own
        self.scope = outer

    def body(self, opener, *stops):
        """Return statements up to a word that ends them, and its piece."""
        statements: list = []
        printed: list = []
        stop = None
        self.open.append(opener)
        for piece in self.rest:
            if piece.word in ("text", "name", "value"):
                printed.append(self.printed(piece))
                continue
            if piece.word in ("elif", "else", "end"):
                stop = piece
                break
            made = getattr(self, f"on_{piece.word}")(piece)
            text = _text(made) if piece.word == "if" else None
            if text is not None:
                printed.append(_at(text, ast.FormattedValue(text, -1)))
                continue
            statements += self.output(printed) + made
            printed = []
        self.open.pop()
        if stop is None and opener is not None:
            raise self.error(f"{opener.word!r} has no 'end'", opener.start)
        if stop and (not opener or stop.word not in ("end", *stops)):
            raise self.error(self.astray(stop, opener), stop.start)
        return statements + self.output(printed), stop

    def astray(self, piece, opener):
        """Return what is wrong about an 'end' or 'else'."""
        if opener is None and piece.word == "end":
            return ("'end' ends nothing: is the statement above misspelled?"
                    " A variable of that name is ${(end)}")
        if opener is None:
            return f"{piece.word!r} is no part of an 'if' or 'for'"
        return (f"{piece.word!r} is no part of {opener.word!r}"
                f" of line {self.line(opener)}")

    def output(self, printed):
        """Return the statements that yield a run of texts and values."""
        statements: list = []
        if self.scope.is_silent:
            return statements
        for start in range(0, len(printed), 64):
            node = printed[start]
            text = _at(node, _Text(printed[start:start + 64]))
            statements.append(_at(node, ast.Expr(_at(node, ast.Yield(text)))))
        return statements

    def printed(self, piece):
        """Return the part of a string that prints a text or a value."""
        text = piece.text
        node: Any = ast.Constant(text)
        line, column = self.place(piece.position)
        node.lineno = node.end_lineno = line
        node.col_offset = column - 1
        node.end_col_offset = column - 1 + len(text)
        if piece.word == "text":
            return node
        is_name = text.isidentifier() and not keyword.iskeyword(text)
        self.start = piece.position
        if is_name and text.isascii():
            value = self.visit_Name(_at(node, ast.Name(text, ast.Load())))
        elif is_name or piece.word == "value":
            value = self.expression(piece)
        else:
            value = _snippet(f"__context[{text!r}]", line)[0].value
        return _shown(value)

    def sets(self, target):
        """Note the names that a statement sets."""
        for part in ast.walk(target):
            if isinstance(part, ast.Name):
                self.scope.set.add(part.id)

    def delegate(self, method, argument, piece):
        """Return the statement that goes on in another function."""
        if self.scope.is_silent:
            return []
        loop = ""
        if self.loops:
            self.used_loops.add(self.loops[-1])
            loop = f", loop={self.loops[-1]}"
        [node] = _snippet(f"yield from __context.{method}(0, 0{loop})",
                          self.line(piece))
        node.value.value.args = [argument, self.scope.here]
        return [node]

    # -- statements

    def on_if(self, piece):
        node = self.python(piece, "if {}: pass")
        body, stop = self.body(piece, "elif", "else")
        node.body, node.orelse = body or node.body, []
        if stop.word == "elif":
            node.orelse = self.on_if(stop)
        elif stop.word == "else":
            node.orelse, _ = self.body(stop)
        return [node]

    def on_for(self, piece):
        node = self.python(piece, "for {}: pass")
        self.sets(node.target)
        loop = f"__loop{next(self.numbers)}"
        self.loops.append(loop)
        body, stop = self.body(piece, "else")
        depth = len(self.loops)
        self.loops.pop()
        node.body = body or node.body
        empty = self.body(stop)[0] if stop.word == "else" else []
        if loop not in self.used_loops and not empty:
            return [node]
        make, iterate, test = _snippet(
            f"{loop} = __Loop(0, {depth})\n{loop}\n"
            f"if {loop}.index0 < 0: pass", self.line(piece))
        make.value.args[0], node.iter = node.iter, iterate.value
        test.body = empty
        return [make, node, test] if empty else [make, node]

    def on_set(self, piece):
        node = self.python(piece, "{}")
        if not isinstance(node, (ast.Assign, ast.AugAssign)):
            raise self.error("'set' is written 'set name = value'",
                             piece.start)
        for target in getattr(node, "targets", [getattr(node, "target", 0)]):
            self.sets(target)
        return [node]

    def on_break(self, piece):
        if not self.loops:
            raise self.error(f"{piece.word!r} stands outside of a loop",
                             piece.start)
        return _snippet(piece.word, self.line(piece))

    on_continue = on_break

    def on_include(self, piece):
        return self.delegate("include", self.page_name(piece), piece)

    def on_extends(self, piece):
        if self.parent is not None or self.open != [None]:
            raise self.error("'extends' stands once, outside of all other"
                             " statements", piece.start)
        self.parent = self.page_name(piece)
        return []

    def tail(self):
        """Return the end of a page: its layout, then what it defines."""
        extend, exports = _snippet(
            "yield from __context.include(0, 0, __context.chains)\nreturn 0",
            getattr(self.parent, "lineno", 1))
        exports.value = self.scope.here
        if self.parent is None:
            return [exports]
        extend.value.value.args[:2] = [self.parent, self.scope.here]
        return [extend, exports]

    def on_block(self, piece):
        name = self.name(piece.text, piece)
        if name in self.blocks:
            raise self.error(f"there is a block {name!r} already", piece.start)
        self.blocks[name] = None  # Keeps the order, and the name from inside.
        self.blocks[name] = self.function(f"__block_{name}", piece)
        text = _snippet(repr(name), self.line(piece))[0].value
        return self.delegate("block", text, piece)

    def name(self, text, piece):
        """Return a name that a statement sets."""
        if not text.isidentifier() or keyword.iskeyword(text):
            raise self.error(f"{text!r} can't be a name", piece.start)
        return self.python(piece._replace(text=text), "{} = 0").targets[0].id

    def on_def(self, piece):
        node = self.python(piece, "def {}: pass")
        self.scope.set.add(self.name(node.name, piece))
        self.closure(node, piece)
        return [node]

    def on_call(self, piece):
        found: Any = re.fullmatch(r"(?s)(?:\(([^()]*)\))?\s*(.+)", piece.text)
        name = f"__caller{next(self.numbers)}"
        node = self.python(piece._replace(
            text=found[1] or "", position=piece.position + 1),
            f"def {name}({{}}): pass")
        self.closure(node, piece)
        call = self.expression(piece._replace(
            text=found[2], position=piece.position + found.start(2)))
        if not isinstance(call, ast.Call):
            raise self.error("'call' is written 'call macro():'", piece.start)
        [keywords] = _snippet(f"f(caller={name})", call.lineno)
        call.keywords += keywords.value.keywords
        return [node, *self.output([_shown(call)])]

    def on_import(self, piece):
        found = re.fullmatch(r"(?s)(.+)\sas\s+(\w+)", piece.text)
        if found is None:
            raise self.error("'import' is written 'import template as name'",
                             piece.start)
        name = self.name(found[2], piece)
        self.scope.set.add(name)
        return self.imported(name, piece._replace(text=found[1]))

    def imported(self, name, piece):
        """Return the statement that takes what another template defines."""
        [node] = _snippet(f"{name} = __context.module(0)", self.line(piece))
        node.value.args = [self.page_name(piece)]
        return [node]

    def on_from(self, piece):
        found = re.fullmatch(r"(?s)(.+)\simport\s+(.+)", piece.text)
        if found is None:
            raise self.error("'from' is written 'from template import name'",
                             piece.start)
        statements = self.imported("__module", piece._replace(text=found[1]))
        for part in found[2].split(","):
            name, _, alias = (word.strip() for word in part.partition(" as "))
            alias = self.name(alias or name, piece)
            name = self.name(name, piece)
            self.scope.set.add(alias)
            statements += _snippet(
                f"{alias} = __attribute(__module, {name!r})", self.line(piece))
        return statements


class Template(string.Template):
    """A text with values, expressions and statements behind dollar signs.

        Template("Hello $name").render(name="you") -> "Hello you"

    `substitute` and `safe_substitute` are string.Template's own: names only,
    and nothing is escaped.
    """

    environment: Any = None  # The knot: an Environment, set below it.

    def __init__(self, template: str, name: str | None = None,
                 environment: Any = None, filename: str | None = None) -> None:
        super().__init__(template)
        self.name, self.filename = name, filename
        self.label = name or "<template>"
        if environment is not None:
            self.environment = environment

    @property
    def kind(self) -> Any:
        """Return what its texts are: Markup if it escapes, or str."""
        return Markup if self.environment.escapes(self.name) else str

    @cached_property
    def _functions(self):
        """Return the function of the page and those of its blocks."""
        text, kind = self.template, self.kind
        undefined = self.environment.undefined
        names: dict[str, Any] = {
            # What is written in C, such as strftime(), imports by it.
            "__builtins__": {"__import__": __import__},
            "__page": self.label, "__name__": self.label,
            # Asked by tracebacks, where the template has no file.
            "__loader__": types.SimpleNamespace(get_source=lambda name: text),
            "__text": _html if kind is Markup else str, "__Loop": _Loop,
            "__macro": functools.partial(_macro, kind),
            "__no_caller": Undefined("the macro was not called by $call"),
            "__attribute": _lookup, "__item": _safe_item,
            "__safe_attribute": _safe_attribute}
        if undefined is not Undefined:
            for key in ("__attribute", "__item", "__safe_attribute", "__Loop"):
                names[key] = functools.partial(names[key], undefined=undefined)
        compiler = _Compiler(self)
        # A text has no file; the sum tells it from another of that name.
        filename = self.filename or (
            f"{self.label} {zlib.crc32(text.encode(errors='replace')):x}")
        try:
            exec(compile(compiler.module(), filename, "exec"), names)
        except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            message = getattr(error, "msg", error)
            raise compiler.error(f"Python can't read the template: {message}",
                                 compiler.lines[line - 1]) from None
        import linecache    # where a traceback puts the text
        weakref.finalize(names["__root"], linecache.cache.pop, filename, None)
        return names["__root"], {
            block: names[f"__block_{block}"] for block in compiler.blocks}

    @property
    def source(self) -> str:
        """Return the Python that a page becomes; its f-strings as joins."""
        tree = _Compiler(self).module()
        for node in ast.walk(tree):
            for field, text in ast.iter_fields(node):
                # Until Python 3.12 an f-string can't show a backslash.
                if isinstance(text, _Text):
                    parts = [part.value
                             if isinstance(part, ast.FormattedValue) else part
                             for part in text.values]
                    setattr(node, field,
                            _call("''.join", [ast.List(parts)], text))
        return ast.unparse(tree)

    @property
    def module(self) -> Any:
        """Return a namespace of the macros and variables it defines."""
        return _Context({}, self, {}).module(self)

    def generate(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        """Yield the page piece by piece; arguments as dict() takes them."""
        names = dict(*args, **kwargs)
        return _Context(names, self, names).page()

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Return the page; arguments as dict() takes them."""
        return "".join(self.generate(*args, **kwargs))


# -- filters and tests: `value | name(arguments)` calls name(value, arguments).
#    Names, arguments and meaning are Jinja's, but what Jinja yields is a list.


def _known(name, known):
    if name not in known:
        raise TemplateRuntimeError(
            f"no {name!r} is known here{_nearest(str(name), known)}")
    return known[name]


def _caller(environment, known, name, /, *args, **kwargs):
    function = _bound(environment, _known(name, known))
    return lambda value: function(value, *args, **kwargs)


def _getter(environment, attribute, case_sensitive=True, default=None):
    """Return a function that walks a path; None leads to the value itself."""
    path = [] if attribute is None else [attribute]
    if isinstance(attribute, str):
        path = [int(part) if part.isdecimal() else part
                for part in attribute.split(".")]

    def get(value):
        for part in path:
            value = _safe_item(value, part, environment.undefined)
            if default is not None and isinstance(value, Undefined):
                value = default
        folds = isinstance(value, str) and not case_sensitive
        return value.lower() if folds else value
    return get


def _nothing(environment):
    return environment.undefined("an empty sequence has no such item")


def _attr(environment, obj, name):
    found = _safe_attribute(obj, name, environment.undefined)
    # Asked of the class first, so that a property runs only once.
    exists = hasattr(type(obj), name) or hasattr(obj, name)
    return found if exists else environment.undefined(
        f"{type(obj).__name__} object has no attribute {name!r}")


def _batch(value, linecount, fill_with=None):
    items = list(value)
    if fill_with is not None:
        items += [fill_with] * (-len(items) % linecount)
    starts = range(0, len(items), linecount)
    return [items[start:start + linecount] for start in starts]


def _slice(value, slices, fill_with=None):
    items = list(value)
    size, longer = divmod(len(items), slices)
    cuts = [n * size + min(n, longer) for n in range(slices + 1)]
    fill = [] if fill_with is None else [fill_with]
    return [items[start:end] + fill * (end - start == size)
            for start, end in zip(cuts, cuts[1:])]


def _default(value, default_value="", boolean=False):
    if isinstance(value, Undefined) or boolean and not value:
        return default_value
    return value


def _dictsort(environment, value, case_sensitive=False, by="key",
              reverse=False):
    place = _known(by, {"key": 0, "value": 1})
    key = _getter(environment, place, case_sensitive)
    return sorted(value.items(), key=key, reverse=reverse)


def _extreme(choose, environment, value, case_sensitive=False, attribute=None):
    key = _getter(environment, attribute, case_sensitive)
    return choose(value, key=key, default=_nothing(environment))


def _filesizeformat(value, binary=False):
    size = float(value)
    base = 1024 if binary else 1000
    if size < base:
        return "1 Byte" if size == 1 else f"{int(size)} Bytes"
    units = "KMGTPEZY" if binary else "kMGTPEZY"
    power = 1
    while size >= base ** (power + 1) and power < len(units):
        power += 1
    return f"{size / base ** power:.1f} {units[power - 1]}{'i' * binary}B"


def _percent(value, /, *args, **kwargs):
    if args and kwargs:
        raise TemplateRuntimeError("format: positional or named, not both.")
    return soft_str(value) % (kwargs or args)


def _groupby(environment, value, attribute, default=None,
             case_sensitive=False):
    key = _getter(environment, attribute, case_sensitive, default)
    shown = _getter(environment, attribute, default=default)
    groups = itertools.groupby(sorted(value, key=key), key)
    lists = [list(group) for _, group in groups]
    return [_Group(shown(group[0]), group) for group in lists]


def _indent(s, width=4, first=False, blank=False):
    text_type = Markup if isinstance(s, Markup) else str
    margin = text_type(width if isinstance(width, str) else " " * width)
    lines = (s + "\n").splitlines()
    indented = [margin + line if line or blank else line for line in lines]
    indented[0] = margin + lines[0] if first else lines[0]
    return text_type("\n").join(indented)


def _join(environment, value, d="", attribute=None):
    values = list(map(_getter(environment, attribute), value))
    if any(hasattr(each, "__html__") for each in (d, *values)):
        return escape(d).join(values)
    return soft_str(d).join(map(str, values))


def _plain_join(environment, value, d="", attribute=None):
    return str(d).join(map(str, map(_getter(environment, attribute), value)))


def _map(environment, value, /, *args, **kwargs):
    filters = environment.filters
    convert = (_caller(environment, filters, *args, **kwargs) if args
               else _getter(environment, case_sensitive=True, **kwargs))
    return list(map(convert, () if value is None else value))


def _numeric(value, default, *ways):
    for convert in ways:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return convert(value)
    return default


def _random(environment, seq):
    import secrets      # Few templates draw lots.
    return secrets.choice(seq) if len(seq) else _nothing(environment)


def _replace(s, old, new, count=None):
    trusted = hasattr(new, "__html__") and not hasattr(s, "__html__")
    s = escape(s) if trusted or hasattr(old, "__html__") else soft_str(s)
    count = -1 if count is None else count
    return s.replace(soft_str(old), soft_str(new), count)


def _plain_replace(s, old, new, count=None):
    return str(_replace(str(s), str(old), str(new), count))


def _round(value, precision=0, method="common"):
    choose: Any = _known(
        method, {"common": round, "ceil": math.ceil, "floor": math.floor})
    if choose is round:
        return round(value, precision)
    factor = 10 ** precision
    return choose(value * factor) / factor


def _selectattr(wanted, environment, value, attribute, /, *args, **kwargs):
    get, tests = _getter(environment, attribute), environment.tests
    test = _caller(environment, tests, *args, **kwargs) if args else bool
    return [item for item in (() if value is None else value)
            if bool(test(get(item))) is wanted]


def _select(wanted, environment, value, /, *args, **kwargs):
    return _selectattr(wanted, environment, value, None, *args, **kwargs)


def _sort(environment, value, reverse=False, case_sensitive=False,
          attribute=None):
    paths = attribute.split(",") if isinstance(attribute, str) else [attribute]
    getters = [_getter(environment, path, case_sensitive) for path in paths]
    return sorted(value, key=lambda item: [get(item) for get in getters],
                  reverse=reverse)


def _tojson(value, indent=None):
    text = json.dumps(value, sort_keys=True, indent=indent)
    return Markup(re.sub("[<>&']", lambda m: f"\\u{ord(m[0]):04x}", text))


def _truncate(s, length=255, killwords=False, end="...", leeway=None):
    if length < len(end):
        raise ValueError(f"no room for {end!r} in {length} characters")
    if len(s) <= length + (5 if leeway is None else leeway):
        return s
    start = s[:length - len(end)]
    return (start if killwords else start.rsplit(" ", 1)[0]) + end


def _unique(environment, value, case_sensitive=False, attribute=None):
    key = _getter(environment, attribute, case_sensitive)
    first: dict[Any, Any] = {}
    for item in value:
        first.setdefault(key(item), item)
    return list(first.values())


def _urlencoded(value):
    if isinstance(value, str) or not isinstance(value, Iterable):
        return quote(str(value))
    pairs = value.items() if isinstance(value, Mapping) else value
    return urlencode([tuple(pair) for pair in pairs])


class _Group(collections.namedtuple("_Group", "grouper list")):
    __repr__ = tuple.__repr__


# Not re.ASCII: a domain may have letters of any language.
_LINK_RE = _Regex(r"""
    (?: (?: https?:// | www\. ) (?: [\w%-]+\. )*
        (?: [a-z]{2,63} | xn--[\w%]{2,59} )
      | (?: [\w%-]{2,63}\. )+ (?: com|edu|gov|info|int|mil|net|org )
      | https?:// (?: [0-9]{1,3} (?: \.[0-9]{1,3} ){3}
                    | \[ [0-9a-f]{0,4} (?: :[0-9a-f]{0,4} ){2,7} \] ) )
    (?: :[0-9]{1,5} )? (?: [/?\#].* )?
    """, re.IGNORECASE | re.VERBOSE)
_EMAIL_RE = _Regex(r"(?:mailto:)?(?!@|www\.)([^:]+@\w[\w.-]*\.\w+)")


def _unwrapped(word):
    """Return what stands before a URL, the URL, and what stands after it."""
    url = word.lstrip("(<")
    head = word[:len(word) - len(url)]
    url = url.rstrip(")>.,")
    tail = word[len(head + url):]
    for start, end in ("()", "<>"):
        opened = url.count(start)
        if opened > url.count(end):
            closing = tail.split(end, opened)[:-1]
            moved = "".join(each + end for each in closing)
            url, tail = url + moved, tail[len(moved):]
    return head, url, tail


def _urlize(value, trim_url_limit=None, nofollow=False, target=None, rel=None,
            extra_schemes=None):
    schemes = tuple(extra_schemes or ())
    for scheme in schemes:
        if not re.fullmatch(r"[\w.+-]{2,}:/{0,2}", scheme):
            raise TemplateRuntimeError(f'{scheme!r} is no scheme like "tel:".')
    rels = {"noopener", *(rel or "").split(), *["nofollow"] * nofollow}
    options = Markup(' rel="%s"') % " ".join(sorted(rels))
    if target:
        options += Markup(' target="%s"') % target
    quoted = Markup if hasattr(value, "__html__") else escape

    def link(url):
        text, email = url, _EMAIL_RE.fullmatch(url)
        if email:
            text = quoted(email[1])
            return f'<a href="mailto:{text}">{text}</a>'
        if _LINK_RE.fullmatch(url):
            if not url.lower().startswith(("http://", "https://")):
                url = "https://" + url
            if trim_url_limit is not None and len(text) > trim_url_limit:
                text = text[:trim_url_limit] + "..."
        elif url in schemes or not url.startswith(schemes):
            return quoted(url)
        return f'<a href="{quoted(url)}"{options}>{quoted(text)}</a>'

    def replaced(word):
        head, url, tail = _unwrapped(word[0])
        return f"{quoted(head)}{link(url)}{quoted(tail)}"
    return Markup(re.sub(r"\S+", replaced, str(Markup(value))))


def _wordwrap(s, width=79, break_long_words=True, wrapstring=None,
              break_on_hyphens=True):
    import textwrap  # Costly, as pprint is.
    wrapper = textwrap.TextWrapper(
        width, expand_tabs=False, replace_whitespace=False,
        break_long_words=break_long_words, break_on_hyphens=break_on_hyphens)
    newline = "\n" if wrapstring is None else wrapstring
    lines = s.splitlines()
    return newline.join(newline.join(wrapper.wrap(line)) for line in lines)


def _pprint(value):
    import pprint
    return pprint.pformat(value)


def _xmlattr(d, autospace=True):
    text = Markup()
    for key, value in d.items():
        if value is None or isinstance(value, Undefined):
            continue
        if not re.fullmatch(r"[^\x00-\x20\x7f/>=]+", key):
            raise ValueError(f"{key!r} cannot be the name of an attribute")
        text += Markup(' %s="%s"') % (key, value)
    return text if autospace else text[1:]


_FILTERS: dict[str, Any] = {
    "abs": abs, "attr": _attr, "batch": _batch,
    "capitalize": lambda s: soft_str(s).capitalize(),
    "center": lambda value, width=80: soft_str(value).center(width),
    "count": len, "d": _default, "default": _default,
    "dictsort": _dictsort,
    "e": escape, "escape": escape, "filesizeformat": _filesizeformat,
    "first": lambda environment, seq: next(iter(seq), _nothing(environment)),
    "float": lambda value, default=0.0: _numeric(value, default, float),
    "forceescape": lambda value: escape(str(Markup(value))),
    "format": _percent, "groupby": _groupby, "indent": _indent,
    "int": lambda value, default=0, base=10: _numeric(
        value, default, lambda v: int(v, base) if isinstance(v, str)
        else int(v), lambda v: int(float(v))),
    "items": lambda value: _default(value, {}).items(), "join": _join,
    "last": lambda environment, seq:
        next(reversed(seq), _nothing(environment)),
    "length": len, "list": list, "lower": lambda s: soft_str(s).lower(),
    "map": _map, "max": functools.partial(_extreme, max),
    "min": functools.partial(_extreme, min), "pprint": _pprint,
    "random": _random,
    "reject": functools.partial(_select, False),
    "rejectattr": functools.partial(_selectattr, False),
    "replace": _replace, "reverse": lambda value:
        (value if isinstance(value, str) else list(value))[::-1],
    "round": _round, "safe": Markup,
    "select": functools.partial(_select, True),
    "selectattr": functools.partial(_selectattr, True),
    "slice": _slice, "sort": _sort, "string": soft_str,
    "striptags": lambda value: Markup(value).striptags(),
    "sum": lambda environment, iterable, attribute=None, start=0:
        sum(map(_getter(environment, attribute), iterable), start),
    "title": lambda s: re.sub(
        r"[^-\s({\[<]+", lambda m: m[0][0].upper() + m[0][1:].lower(),
        soft_str(s)),
    "tojson": _tojson,
    "trim": lambda value, chars=None: soft_str(value).strip(chars),
    "truncate": _truncate, "unique": _unique,
    "upper": lambda s: soft_str(s).upper(), "urlencode": _urlencoded,
    "urlize": _urlize,
    "wordcount": lambda s: len(re.findall(r"\w+", soft_str(s))),
    "wordwrap": _wordwrap, "xmlattr": _xmlattr,
}

def _is(cls):
    return lambda value: isinstance(value, cls)


_TESTS: dict[str, Any] = {
    "==": operator.eq, "eq": operator.eq, "equalto": operator.eq,
    "!=": operator.ne, "ne": operator.ne,
    "<": operator.lt, "lt": operator.lt, "lessthan": operator.lt,
    "<=": operator.le, "le": operator.le,
    ">": operator.gt, "gt": operator.gt, "greaterthan": operator.gt,
    ">=": operator.ge, "ge": operator.ge,
    "boolean": _is(bool), "float": _is(float), "iterable": _is(Iterable),
    "mapping": _is(Mapping), "number": _is(numbers.Number),
    "string": _is(str), "undefined": _is(Undefined),
    "callable": callable, "defined": lambda v: not isinstance(v, Undefined),
    "divisibleby": lambda value, num: value % num == 0,
    "escaped": lambda value: hasattr(value, "__html__"),
    "even": lambda value: value % 2 == 0, "odd": lambda value: value % 2 == 1,
    "false": lambda value: value is False, "true": lambda value: value is True,
    "filter": lambda environment, name: name in environment.filters,
    "in": lambda value, seq: value in seq,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "lower": lambda value: str(value).islower(),
    "none": lambda value: value is None, "sameas": operator.is_,
    "sequence": lambda value: (hasattr(type(value), "__len__")
                               and hasattr(type(value), "__getitem__")),
    "test": lambda environment, name: name in environment.tests,
    "upper": lambda value: str(value).isupper(),
}
for _name in """attr dictsort first groupby join last map max min random reject
        rejectattr select selectattr sort sum unique filter test""".split():
    (_FILTERS.get(_name) or _TESTS[_name]).pass_environment = True
# What stands in for them on a page that escapes nothing.
_FILTERS["join"].plain, _FILTERS["replace"].plain = _plain_join, _plain_replace
_FILTERS["join"].plain.pass_environment = True


# -- where templates come from


class DictLoader:
    """Templates out of a dict, for tests and tools."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self.mapping = mapping

    def get_source(self, environment: Any, template: str) -> Any:
        """Return (text, file or None, function that tells if it is new)."""
        if template not in self.mapping:
            raise TemplateNotFound(template)
        text = self.mapping[template]
        return text, None, lambda: self.mapping.get(template) == text


class FileSystemLoader:
    """Templates out of one folder or several, the first that has one."""

    def __init__(self, searchpath: Any, encoding: str = "utf-8") -> None:
        several = isinstance(searchpath, (list, tuple))
        self.searchpath = [os.fspath(path) for path in (
            searchpath if several else [searchpath])]
        self.encoding = encoding

    def get_source(self, environment: Any, template: str) -> Any:
        """Return (text, file, function that tells if it is up to date)."""
        parts = [part for part in template.split("/") if part not in ("", ".")]
        if ".." in parts or re.search(r"[\\:\0]", template) or not parts:
            raise TemplateNotFound(template)
        paths = [os.path.join(folder, *parts) for folder in self.searchpath]
        path = next(filter(os.path.isfile, paths), None)
        if path is None:
            raise TemplateNotFound(template)
        before = _stamp(path)
        with open(path, encoding=self.encoding, newline="") as file:
            try:
                return file.read(), path, lambda: _stamp(path) == before
            except UnicodeDecodeError as error:
                error.reason += f" in {path!r}; save it as {self.encoding}"
                raise


def _stamp(path):
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_mtime_ns, found.st_size
    return None


def _keep(cache, key, value):
    """Keep a value in a cache, and at most so many of all."""
    cache[key] = value
    if len(cache) > _MOST_KEPT:
        cache.popitem(last=False)


class Environment:
    """What templates share: filters, tests, globals, and where they are.

    The three dicts are live: what is put into them is seen by the next page.
    """

    def __init__(self, loader: Any = None, autoescape: Any = None,
                 undefined: str = "strict", auto_reload: bool = True) -> None:
        self.loader, self.autoescape = loader, autoescape
        self.undefined = _Empty if undefined == "empty" else Undefined
        self.auto_reload = auto_reload
        self.filters, self.tests = dict(_FILTERS), dict(_TESTS)
        self.globals: dict[str, Any] = {}
        self._cache: Any = collections.OrderedDict()
        self._texts: Any = collections.OrderedDict()

    def escapes(self, name: str | None) -> bool:
        """Return True if values are escaped; a name of None is a text."""
        if callable(self.autoescape):
            return self.autoescape(name)
        if self.autoescape is None:
            return name is None or name.lower().endswith(_ESCAPED)
        return self.autoescape

    def get_template(self, name: Any) -> Template:
        """Return a template by its name, or the first of several names."""
        if isinstance(name, str):
            return self._load(name)
        if hasattr(name, "generate"):
            return name
        if not isinstance(name, (list, tuple)):
            raise TypeError("a template is named by a text or a list of texts,"
                            f" not by {name!r}")
        for one in name:
            with contextlib.suppress(TemplateNotFound):
                return self.get_template(one)
        raise TemplateNotFound(*name)

    def _load(self, name):
        cached = self._cache.get(name)
        if cached is None or self.auto_reload and not cached[-1]():
            if self.loader is None:
                raise TemplateNotFound(name)
            text, file, is_fresh = self.loader.get_source(self, name)
            text = re.sub(r"\A\ufeff|\r?\n\Z", "", text)
            template = Template(text, name, self, file)
            # Not the template, which holds the environment.
            cached = text, file, template._functions, is_fresh
            _keep(self._cache, name, cached)
        text, file, functions, _ = cached
        template = Template(text, name, self, file)
        template._functions = functions
        return template

    def from_string(self, source: str) -> Template:
        """Return a template of a text; its values are escaped."""
        template = Template(source, None, self)
        functions = self._texts.get(source)
        if functions is None:
            functions = template._functions
            _keep(self._texts, source, functions)
        template._functions = functions
        return template


Template.environment = Environment()


# =============================================================================
# 16. Signing and passwords
# =============================================================================
#
# What a client keeps for us it can change.  So we send a value and a signature
# (HMAC, RFC 2104) that only the owner of a key can make: value.signature, or
# value.timestamp.signature if it shall expire.  Everybody can read the value.
# A salt keeps signatures of different use apart.  Of several keys the last one
# signs, and all verify.  Passwords are hashed, so slowly that guessing one
# takes years.  Left out: fallback signers, as keys rotate by a list of keys.


class BadData(Exception):
    """Data that cannot be trusted; `payload` is what was read all the same."""

    def __init__(self, message: str, payload: Any = None,
                 date_signed: Any = None, original_error: Any = None):
        super().__init__(message)
        self.message, self.payload = message, payload
        self.date_signed, self.original_error = date_signed, original_error


class BadSignature(BadData):
    """A signature that does not fit."""

class BadTimeSignature(BadSignature):
    """A bad signature with a time; `date_signed` is aware, or None."""

class SignatureExpired(BadTimeSignature):
    """A good signature that is too old, or from the future."""

class BadHeader(BadSignature):
    """A signed header that cannot be read; nothing here makes one."""

class BadPayload(BadData):
    """Signed data that cannot be unpacked; `original_error` says why."""


def want_bytes(s: Any, encoding: str = "utf-8", errors: Any = "strict") -> Any:
    """Encode text; return bytes as they are."""
    return s.encode(encoding, errors) if isinstance(s, str) else s


def base64_encode(string: str | bytes) -> bytes:
    """Encode as URL-safe base64 without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(want_bytes(string)).rstrip(b"=")


def base64_decode(string: str | bytes) -> bytes:
    """Decode URL-safe base64, padded or not; raise BadData for any other."""
    try:
        data = want_bytes(string)
        return base64.b64decode(data + b"=" * (-len(data) % 4), b"-_", True)
    except ValueError as error:
        raise BadData("Invalid base64-encoded data") from error


# To begin with a key costs as much as to sign; there are few keys.
@functools.lru_cache(maxsize=64)
def _keyed(key, digest_method):
    return hmac.new(key, digestmod=digest_method)


@functools.lru_cache(maxsize=64)
def _mixed(key, salt, key_derivation, digest_method):
    if key_derivation == "hmac":
        return hmac.digest(key, salt, digest_method)
    texts = {"django-concat": salt + b"signer" + key, "concat": salt + key}
    if key_derivation in texts:
        return digest_method(texts[key_derivation]).digest()
    raise TypeError(f"Unknown key derivation {key_derivation!r}; use 'hmac'.")


def _key_list(keys):
    keys = [keys] if isinstance(keys, (str, bytes)) else keys
    return [want_bytes(key) for key in keys]


class HMACAlgorithm:
    """How a Signer signs by default; a subclass may do it differently."""

    default_digest_method: Any = hashlib.sha1

    def __init__(self, digest_method: Any = None) -> None:
        self.digest_method = digest_method or self.default_digest_method

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return the signature of a value by a key."""
        mac = _keyed(key, self.digest_method).copy()
        mac.update(value)
        return mac.digest()


class NoneAlgorithm(HMACAlgorithm):
    """No signature at all: whatever comes is believed; never for clients."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return nothing."""
        return b""


class Signer:
    """Sign values with a key, or with the last one of a list of keys."""

    default_digest_method: Any = hashlib.sha1
    default_key_derivation: Any = "django-concat"

    def __init__(self, secret_key: Any, salt: Any = None, sep: Any = b".",
                 key_derivation: Any = None, digest_method: Any = None,
                 algorithm: Any = None):
        self.secret_keys = _key_list(secret_key)
        self.salt = want_bytes("itsdangerous.Signer" if salt is None else salt)
        self.sep = want_bytes(sep)
        self.key_derivation = key_derivation or self.default_key_derivation
        self.digest_method = digest_method or self.default_digest_method
        self.algorithm = algorithm or HMACAlgorithm(self.digest_method)
        if self.sep != b"." and re.fullmatch(rb"[\w=-]*", self.sep):
            raise ValueError(f"Signatures may hold {sep!r}; separate by '.'")

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """Return a key, by default the last one, mixed with the salt."""
        key = self.secret_keys[-1] if secret_key is None else secret_key
        key = want_bytes(key)
        return _mixed(key, self.salt, self.key_derivation, self.digest_method)

    def get_signature(self, value: str | bytes, key: Any = None) -> bytes:
        """Return the signature of a value, by the last key or another one."""
        return base64_encode(self.algorithm.get_signature(
            self.derive_key(key), want_bytes(value)))

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Tell whether one of the keys signed a value so."""
        given = want_bytes(sig)
        return any(hmac.compare_digest(given, self.get_signature(value, key))
                   for key in reversed(self.secret_keys))

    def sign(self, value: str | bytes) -> bytes:
        """Return the value, the separator and the signature."""
        return want_bytes(value) + self.sep + self.get_signature(value)

    def unsign(self, signed_value: str | bytes) -> Any:
        """Return the value without its signature, or raise BadSignature."""
        value, sep, sig = want_bytes(signed_value).rpartition(self.sep)
        if not sep:
            raise BadSignature(f"No {self.sep!r} found in value")
        if self.verify_signature(value, sig):
            return value
        raise BadSignature(f"Signature {sig!r} does not match", value)

    def validate(self, signed_value: str | bytes, **options: Any) -> bool:
        """Tell whether `unsign` would return a value."""
        try:
            self.unsign(signed_value, **options)
            return True
        except BadSignature:
            return False


class TimestampSigner(Signer):
    """A signer that also says when it signed."""

    def get_timestamp(self) -> int:
        """Return the current time in whole seconds."""
        return int(time.time())

    def sign(self, value: str | bytes) -> bytes:
        """Return value, timestamp and signature, with separators between."""
        stamp = self.get_timestamp().to_bytes(8, "big").lstrip(b"\0")
        value = want_bytes(value) + self.sep + base64_encode(stamp)
        return super().sign(value)

    def unsign(self, signed_value: str | bytes, max_age: float | None = None,
               return_timestamp: bool = False) -> Any:
        """Return the value, or (value, time); `max_age` is in seconds."""
        wrong, date_signed = "", None
        try:
            signed = super().unsign(signed_value)
        except BadSignature as error:
            signed, wrong = error.payload, error.message
            if self.sep not in (signed or b""):
                raise
        value, sep, stamp = signed.rpartition(self.sep)
        with contextlib.suppress(BadData, ValueError, OverflowError, OSError):
            seconds = int.from_bytes(base64_decode(stamp), "big")
            date_signed = datetime.fromtimestamp(seconds, timezone.utc)
        if wrong or not sep or date_signed is None:
            raise BadTimeSignature(wrong or "There is no valid timestamp",
                                   value if sep else signed, date_signed)
        age = self.get_timestamp() - seconds
        if max_age is not None and not 0 <= age <= max_age:
            raise SignatureExpired(f"Signature age {age} is not 0 to {max_age}"
                                   " seconds", value, date_signed)
        return (value, date_signed) if return_timestamp else value


class Serializer:
    """Sign what `serializer`, anything with `dumps` and `loads`, makes."""

    default_serializer: Any = _json
    default_signer: Any = Signer
    _unpack: Any = staticmethod(lambda data: data)

    def __init__(self, secret_key: Any, salt: Any = b"itsdangerous",
                 serializer: Any = None, serializer_kwargs: Any = None,
                 signer: Any = None, signer_kwargs: Any = None):
        self.secret_keys = _key_list(secret_key)
        self.salt = salt
        self.serializer = serializer or self.default_serializer
        self.serializer_kwargs = serializer_kwargs or {}
        self.signer = signer or self.default_signer
        self.signer_kwargs = signer_kwargs or {}
        self.is_text_serializer = isinstance(self.serializer.dumps({}), str)

    def make_signer(self, salt: str | bytes | None = None) -> Any:
        """Return a signer with the keys and a salt, by default our own."""
        return self.signer(self.secret_keys, **self.signer_kwargs,
                           salt=self.salt if salt is None else salt)

    def dumps(self, obj: Any, salt: str | bytes | None = None) -> Any:
        """Return an object, signed; bytes if the serializer makes bytes."""
        signed = self.make_signer(salt).sign(self.dump_payload(obj))
        return signed.decode() if self.is_text_serializer else signed

    def loads(self, s: str | bytes, *salt: Any, **options: Any) -> Any:
        """Return the object of signed text; `salt` as for `dumps`."""
        return self.load_payload(self.make_signer(*salt, **options).unsign(s))

    def loads_unsafe(self, s: str | bytes, *args: Any, **options: Any) -> Any:
        """Return (True, object), or (False, object or None) if forged."""
        try:
            return True, self.loads(s, *args, **options)
        except BadSignature as error:
            with contextlib.suppress(BadPayload):
                return False, self.load_payload(error.payload)
            return False, None

    def dump_payload(self, obj: Any) -> bytes:
        """Return an object as the bytes that are signed."""
        return want_bytes(self.serializer.dumps(obj, **self.serializer_kwargs))

    def load_payload(self, payload: bytes) -> Any:
        """Return the object of bytes that were signed, or raise BadPayload."""
        try:
            data = self._unpack(payload)
            return self.serializer.loads(
                data.decode() if self.is_text_serializer else data)
        except Exception as error:
            raise BadPayload(f"The payload cannot be read: {error}",
                             original_error=error) from error


class TimedSerializer(Serializer):
    """A serializer whose signatures have a time."""

    default_signer: Any = TimestampSigner

    def loads(self, s: str | bytes, max_age: float | None = None,
              return_timestamp: bool = False, salt: Any = None) -> Any:
        """Return the object, or (object, time); `max_age` is in seconds."""
        payload, date_signed = self.make_signer(salt).unsign(s, max_age, True)
        value = self.load_payload(payload)
        return (value, date_signed) if return_timestamp else value


class URLSafeSerializer(Serializer):
    """Make text of letters, digits, and `-_.` only; deflate long text."""

    default_serializer: Any = types.SimpleNamespace(
        loads=_json.loads, dumps=functools.partial(
            _json.dumps, ensure_ascii=False, separators=(",", ":")))

    def dump_payload(self, obj: Any) -> bytes:
        """Return an object as the bytes that are signed."""
        data = super().dump_payload(obj)
        if len(data) > 12:      # Or it never gets shorter.
            deflated = zlib.compress(data)
            if len(deflated) < len(data) - 1:
                return b"." + base64_encode(deflated)
        return base64_encode(data)

    def _unpack(self, payload):
        data = base64_decode(payload.lstrip(b"."))
        if payload.startswith(b"."):
            inflater = zlib.decompressobj()
            # A few bytes may inflate to a thousand times as many.
            data = inflater.decompress(data, 10_000_000)
            if not inflater.eof:
                raise BadData("no end in 10000000 bytes")
        return data


class URLSafeTimedSerializer(URLSafeSerializer, TimedSerializer):
    """A URL-safe serializer whose signatures have a time."""


def _hash_password(method, salt, password):
    name, *given = method.split(":")
    secret, seed = password.encode(), salt.encode()
    if name == "scrypt" and len(given) in (0, 3):
        n, r, p = map(int, given or (32768, 8, 1))
        key = hashlib.scrypt(
            secret, salt=seed, n=n, r=r, p=p, maxmem=132 * n * r * p)
        return f"scrypt:{n}:{r}:{p}${salt}${key.hex()}"
    if name == "pbkdf2" and len(given) <= 2:
        digest, count = given + ["sha256", "1000000"][len(given):]
        key = hashlib.pbkdf2_hmac(digest, secret, seed, int(count))
        return f"pbkdf2:{digest}:{count}${salt}${key.hex()}"
    raise ValueError(f"Invalid hash method {method!r}; use scrypt or pbkdf2.")


def gen_salt(length: int) -> str:
    """Return random letters and digits."""
    if length < 1:
        raise ValueError(f"A salt of {length} characters protects nothing.")
    import secrets      # Few programs make passwords.
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(length))


# The OpenSSL of some Pythons has no scrypt.
_BEST_METHOD = "scrypt" if hasattr(hashlib, "scrypt") else "pbkdf2"


def generate_password_hash(password: str, method: str = _BEST_METHOD,
                           salt_length: int = 16) -> str:
    """Hash a password to store it, as "method$salt$hash"."""
    return _hash_password(method, gen_salt(salt_length), password)


def check_password_hash(pwhash: str, password: str) -> bool:
    """Check a password; do so for an unknown user, too, or the time tells."""
    try:
        method, salt, digest = pwhash.split("$", 2)
        found = _hash_password(method, salt, password).rpartition("$")[2]
    except (ValueError, OverflowError):
        return False
    return hmac.compare_digest(found.encode(), digest.encode())


# =============================================================================
# 17. Sessions
# =============================================================================
#
# HTTP forgets; a session remembers a visitor from one request to the next.  It
# is a dictionary that travels in a cookie, as signed text with a date.  Who
# holds it can read it and send an old one, but not change it.  A cookie that
# does not verify is an empty session, never an error.  JSON has no tuple, UUID
# or time: these travel as a dict whose only key is a tag, {" t": [1, 2]}.
# Each use, and each cookie, is announced by `Vary: Cookie`, or caches would
# give the page to the next visitor.  For sessions kept on the server write a
# SessionInterface.


_IN_JSON = {str, int, float, bool, type(None)}


class JSONTag:
    """How a type travels: give it a key, check, to_json and to_python."""

    key: str
    check: Any
    to_json: Any
    to_python: Any

    def __init__(self, serializer: Any):
        self.serializer = serializer

    def tag(self, value: Any) -> Any:
        """Return a value as something JSON has, under the key."""
        return {self.key: self.to_json(value)}


class TaggedJSONSerializer:
    """JSON for more types: `dumps(value)` to text, `loads(text)` back."""

    def __init__(self) -> None:
        self.order: list[Any] = []
        self.tags: dict[str, Any] = {
            " t": tuple, " b": base64.b64decode, " m": Markup,
            " d": parse_date, " u": lambda text: __import__("uuid").UUID(text),
            " di": lambda found: {key[:-2]: found[key] for key in found}}
        self._decoder = _json.JSONDecoder(object_hook=self.untag)

    def register(self, tag_class: Any, force: bool = False,
                 index: int | None = None) -> None:
        """Add a tag class; `index` is its place in the order of asking."""
        tag = tag_class(self)
        if tag.key in self.tags and not force:
            raise KeyError(f"The tag {tag.key!r} exists already.")
        self.tags[tag.key] = tag.to_python
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: Any) -> Any:
        """Return a value as JSON has it; registered tags are asked first."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        if type(value) in _IN_JSON:
            return value
        if isinstance(value, (list, tuple)):
            items = [self.tag(item) for item in value]
            return {" t": items} if isinstance(value, tuple) else items
        if isinstance(value, dict):
            found = {key: self.tag(item) for key, item in value.items()}
            if len(value) == 1 and not self.tags.keys().isdisjoint(value):
                # It looks like a tag: travel with a longer key.
                return {" di": {f"{key}__": found[key] for key in found}}
            return found
        if isinstance(value, bytes):
            return {" b": base64.b64encode(value).decode()}
        if hasattr(value, "__html__"):
            return {" m": str(value.__html__())}
        if isinstance(value, datetime):
            return {" d": http_date(value)}
        # Whoever has a UUID has imported the module; here it costs too much.
        uuid_type: Any = getattr(sys.modules.get("uuid"), "UUID", ())
        if isinstance(value, uuid_type):
            return {" u": value.hex}
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Return what a dict with a tag for its only key stands for."""
        for key in value if len(value) == 1 else ():
            if key in self.tags:
                return self.tags[key](value[key])
        return value

    def dumps(self, value: Any) -> str:
        """Return a value as compact JSON."""
        return json.dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> Any:
        """Return the value of JSON."""
        return self._decoder.decode(value)


class SessionMixin(collections.abc.MutableMapping):
    """What a session has beside its items."""

    new = False
    modified = True
    accessed = False

    @property
    def permanent(self) -> bool:
        """Return whether the session outlives the browser; may be set."""
        return self.get("_permanent", False)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class SecureCookieSession(CallbackDict, SessionMixin):
    """A session that notices a change of its items, not one inside of them."""

    modified = False

    def __init__(self, initial: Any = None):
        super().__init__(
            initial, lambda session: setattr(session, "modified", True))


_shortcuts(session, "session", SecureCookieSession)


class NullSession(SecureCookieSession):
    """A session without a key to sign it: it can be read, but not changed."""

    def _refuse(self, *args, **kwargs):
        raise RuntimeError(
            "The session is unavailable because no secret key was set. Set"
            " app.secret_key to a random text that stays the same, such as"
            " secrets.token_hex() makes once.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def _from_config(key, otherwise=None):
    return lambda self, app: app.config[key] or app.config[otherwise or key]


class SessionInterface:
    """How sessions are opened and saved; derive your own from it."""

    null_session_class: Any = NullSession
    pickle_based = False

    get_cookie_name = _from_config("SESSION_COOKIE_NAME")
    get_cookie_path = _from_config("SESSION_COOKIE_PATH", "APPLICATION_ROOT")
    get_cookie_domain = _from_config("SESSION_COOKIE_DOMAIN")
    get_cookie_httponly = _from_config("SESSION_COOKIE_HTTPONLY")
    get_cookie_secure = _from_config("SESSION_COOKIE_SECURE")
    get_cookie_samesite = _from_config("SESSION_COOKIE_SAMESITE")
    get_cookie_partitioned = _from_config("SESSION_COOKIE_PARTITIONED")

    def make_null_session(self, app: Any) -> Any:
        """Return what stands for a session that cannot be opened."""
        return self.null_session_class()

    def is_null_session(self, obj: Any) -> bool:
        """Tell whether a session is such a stand-in, which is never saved."""
        return isinstance(obj, self.null_session_class)

    def get_expiration_time(self, app: Any, session: Any) -> datetime | None:
        """Return when the cookie expires; None when the browser closes."""
        if session.permanent:
            return datetime.now(timezone.utc) + app.permanent_session_lifetime
        return None

    def should_set_cookie(self, app: Any, session: Any) -> bool:
        """Tell whether a session is new to the browser or to be refreshed."""
        return session.modified or (
            session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"])

    def open_session(self, app: Any, request: Any) -> Any:
        """Return a SessionMixin, or None if there can be no session."""
        raise NotImplementedError

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Store a session, with a cookie in the response if need be."""
        raise NotImplementedError


# Kept, because nearly every request asks for the same one.
@functools.lru_cache(maxsize=16)
def _cookie_serializer(keys, salt, serializer, key_derivation, digest_method):
    made: Any = URLSafeTimedSerializer(
        keys, salt=salt, serializer=serializer, signer_kwargs={
            "key_derivation": key_derivation, "digest_method": digest_method})
    made.make_signer = functools.lru_cache(maxsize=4)(made.make_signer)
    return made


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie."""

    salt = "cookie-session"
    digest_method: Any = staticmethod(hashlib.sha1)
    key_derivation = "hmac"
    serializer: Any = TaggedJSONSerializer()
    session_class: Any = SecureCookieSession

    def get_signing_serializer(self, app: Any) -> Any:
        """Return what signs the cookies, or None without a secret key."""
        key = app.secret_key
        if not key:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"]
        keys = (*_key_list(fallbacks), key) if fallbacks else (key,)
        return _cookie_serializer(keys, self.salt, self.serializer,
                                  self.key_derivation, self.digest_method)

    def open_session(self, app: Any, request: Any) -> Any:
        """Return the session of the cookie, a new one, or None."""
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        cookie = request.cookies.get(self.get_cookie_name(app))
        if cookie:
            age = app.permanent_session_lifetime.total_seconds()
            with contextlib.suppress(BadData):
                return self.session_class(serializer.loads(
                    cookie, max_age=age))
        return self.session_class()

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Set or delete the cookie, if the session says so."""
        changed = (self.should_set_cookie(app, session) if session
                   else session.modified)
        if session.accessed or changed:
            if "Vary" in response.headers:
                response.vary.add("Cookie")
            else:
                response.headers.add("Vary", "Cookie")
        if not changed:
            return
        name = self.get_cookie_name(app)
        options: Any = {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
            "partitioned": self.get_cookie_partitioned(app)}
        if not session:
            response.delete_cookie(name, **options)
            return
        signed = self.get_signing_serializer(app).dumps(dict(session))
        options["expires"] = self.get_expiration_time(app, session)
        response.set_cookie(name, signed, **options)


# =============================================================================
# 18. Signals
# =============================================================================
#
# A signal tells whoever asked that something has happened; unlike a hook, what
# they answer changes nothing.  Receivers connect to a sender or to ANY.  This
# keeps nobody alive: both are held weakly, and what has died is forgotten.
#
# `receivers` maps (sender or ANY, receiver) to references to receiver and
# sender.  Each change of it is one step, so threads need no lock.  It is empty
# as long as nobody listens: `if signal.receivers` costs nothing.

ANY: Any = type("_Any", (), {"__repr__": lambda self: "ANY"})()


def _identity(thing):
    if thing is ANY or isinstance(thing, (str, int)):
        return thing
    if isinstance(thing, types.MethodType):    # Made anew at each look-up.
        return id(thing.__func__), id(thing.__self__)
    return id(thing), None


def _weak(thing, forget):
    if isinstance(thing, types.MethodType):
        return weakref.WeakMethod(thing, forget)
    return weakref.ref(thing, forget)


def _is_async(function):
    try:
        return function.__code__.co_flags & 0x80 != 0   # CO_COROUTINE
    except AttributeError:
        return (isinstance(function, functools.partial)
                and _is_async(function.func))


class Signal:
    """Something that happens, and those who want to hear of it."""

    ANY = ANY
    name: str | None = None

    def __init__(self, doc: str | None = None):
        self.receivers: dict[Any, Any] = {}
        self.is_muted = False
        self.__doc__ = doc or self.__doc__

    def connect(self, receiver: Any, sender: Any = ANY,
                weak: bool = True) -> Any:
        """Call a receiver with the sender and what it sends, from now on."""
        receivers = self.receivers    # Not self, or it would hold itself.
        key = _identity(sender), _identity(receiver)

        def forget(reference):
            receivers.pop(key, None)
        held, there = lambda: receiver, None
        if weak:
            held = _weak(receiver, forget)
        # A text or a number cannot be held weakly, and need not be.
        with contextlib.suppress(TypeError):
            there = _weak(sender, forget)
        receivers[key] = held, there
        return receiver

    def disconnect(self, receiver: Any, sender: Any = ANY) -> None:
        """Stop calling a receiver for one sender, or for all."""
        there, here = _identity(sender), _identity(receiver)
        for key in list(self.receivers):
            if key[1] == here and there in (ANY, key[0]):
                self.receivers.pop(key, None)

    def connect_via(self, sender: Any, weak: bool = False) -> Any:
        """Connect the decorated function to a sender."""
        return lambda receiver: self.connect(receiver, sender, weak)

    @contextlib.contextmanager
    def connected_to(self, receiver: Any, sender: Any = ANY) -> Any:
        """Connect a receiver within a `with` block."""
        self.connect(receiver, sender, weak=False)
        try:
            yield
        finally:
            self.disconnect(receiver)

    @contextlib.contextmanager
    def muted(self) -> Any:
        """Call nobody within a `with` block."""
        self.is_muted = True
        try:
            yield
        finally:
            self.is_muted = False

    def receivers_for(self, sender: Any) -> Any:
        """Yield those who will be called for a sender, each once."""
        places = ANY, _identity(sender)
        found = {here: held for (there, here), (held, _)
                 in self.receivers.copy().items() if there in places}
        for held in found.values():
            receiver = held()
            if receiver is not None:
                yield receiver

    def has_receivers_for(self, sender: Any) -> bool:
        """Tell whether anybody would be called for a sender."""
        return any(True for _ in self.receivers_for(sender))

    def send(self, sender: Any = None, /, *, _async_wrapper: Any = None,
             **kwargs: Any) -> list[tuple[Any, Any]]:
        """Call the receivers; return [(receiver, what it returned), ...]."""
        results: list[tuple[Any, Any]] = []
        for receiver in () if self.is_muted else self.receivers_for(sender):
            call = receiver
            if _is_async(receiver):
                if _async_wrapper is None:
                    raise RuntimeError(f"{receiver!r} is a coroutine function:"
                                       " give send() an _async_wrapper.")
                call = _async_wrapper(receiver)
            results.append((receiver, call(sender, **kwargs)))
        return results


class Namespace(dict):
    """Signals by name."""

    def signal(self, name: str, doc: str | None = None) -> Signal:
        """Return the signal of a name, always the same."""
        found = self.setdefault(name, Signal(doc))
        found.name = name
        return found


signal = Namespace().signal
_core = Namespace().signal
template_rendered = _core("template-rendered")
before_render_template = _core("before-render-template")
request_started = _core("request-started")
request_finished = _core("request-finished")
request_tearing_down = _core("request-tearing-down")
got_request_exception = _core("got-request-exception")
appcontext_tearing_down = _core("appcontext-tearing-down")
appcontext_pushed = _core("appcontext-pushed")
appcontext_popped = _core("appcontext-popped")
message_flashed = _core("message-flashed")


# =============================================================================
# 19. Configuration
# =============================================================================
#
# The settings of an app are a dictionary.  Of objects and files only NAMES IN
# UPPER CASE are taken, so a settings file may have imports and helpers.  What
# is loaded later wins: from_object("shop.settings") for defaults in the code,
# from_pyfile("local.cfg", silent=True) for an installation, and for a process
# from_prefixed_env("SHOP"): SHOP_MAIL__PORT=25 sets config["MAIL"]["PORT"].


class ImportStringError(ImportError):
    """An import by name that failed; `exception` says why."""

    def __init__(self, import_name: str, exception: BaseException):
        super().__init__(f"Could not import {import_name!r}: {exception!r}")
        self.import_name, self.exception = import_name, exception


def import_string(import_name: str, silent: bool = False) -> Any:
    """Return a module, or what is in it: "os.path:join", "os.path.join"."""
    name = import_name.replace(":", ".")
    package, _, attribute = name.rpartition(".")
    try:
        __import__(name)
        return sys.modules[name]
    except ImportError as error:
        parent = sys.modules.get(package)
        # If it is not the name that is missing, a module is broken.
        if error.name == name and hasattr(parent, attribute):
            return getattr(parent, attribute)
        if silent:
            return None
        raise ImportStringError(import_name, error) from error


class ConfigAttribute:
    """An attribute of an app that is kept in its config."""

    def __init__(self, name: str, get_converter: Any = None):
        self.__name__ = name
        self.get_converter = get_converter

    def __get__(self, obj, owner=None):
        if obj is None:
            return self
        value = obj.config[self.__name__]
        return self.get_converter(value) if self.get_converter else value

    def __set__(self, obj, value):
        obj.config[self.__name__] = value


class Config(dict):
    """The settings of an app; files are relative to `root_path`."""

    def __init__(self, root_path: Any, defaults: Any = None):
        super().__init__(defaults or {})
        self.root_path = root_path

    def from_object(self, obj: Any) -> None:
        """Take the upper-case attributes of an object, or of its name."""
        obj = import_string(obj) if isinstance(obj, str) else obj
        self.update((key, getattr(obj, key)) for key in dir(obj)
                    if key.isupper())

    def from_mapping(self, mapping: Any = None, **kwargs: Any) -> bool:
        """Take the upper-case keys of a mapping or of the arguments."""
        found = {**dict(mapping or {}), **kwargs}
        self.update((key, found[key]) for key in found if key.isupper())
        return True

    def from_pyfile(self, filename: Any, silent: bool = False) -> bool:
        """Run a Python file and take its upper-case names."""
        def run(file):
            names = {"__name__": "config", "__file__": file.name}
            exec(compile(file.read(), file.name, "exec"), names)
            return names
        return self.from_file(filename, run, silent, text=False)

    def from_file(self, filename: Any, load: Any, silent: bool = False,
                  text: bool = True) -> bool:
        """Take what `load` reads, as json.load; False: there is no file."""
        path = os.path.join(self.root_path, filename)
        try:
            with open(path, "r" if text else "rb") as file:
                return self.from_mapping(load(file))
        except OSError as error:
            if silent and isinstance(error, (
                    FileNotFoundError, IsADirectoryError, NotADirectoryError)):
                return False
            error.strerror = f"Unable to load configuration: {error.strerror}"
            raise

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Run the Python file that an environment variable names."""
        filename = os.environ.get(variable_name)
        if not filename and not silent:
            raise RuntimeError(f"The environment variable {variable_name!r} is"
                               " not set; let it name a configuration file.")
        return bool(filename) and self.from_pyfile(filename, silent)

    def from_prefixed_env(self, prefix: str = "FLASK", *,
                          loads: Any = _json.loads) -> bool:
        """Take PREFIX_NAME from the environment, as JSON if it is JSON."""
        for name, value in sorted(os.environ.items()):
            if name.startswith(f"{prefix}_"):
                *outer, key = name[len(prefix) + 1:].split("__")
                place: Any = self
                for part in outer:
                    place = place.setdefault(part, {})
                place[key] = value
                with contextlib.suppress(Exception):
                    place[key] = loads(value)
        return True

    def get_namespace(self, namespace: str, lowercase: bool = True,
                      trim_namespace: bool = True) -> dict[str, Any]:
        """Return the settings whose names begin alike, by the rest."""
        start = len(namespace) if trim_namespace else 0
        return {key[start:].lower() if lowercase else key[start:]: value
                for key, value in self.items() if key.startswith(namespace)}

    def __repr__(self):
        return f"<{type(self).__name__} {super().__repr__()}>"


# =============================================================================
# 20. The development server
# =============================================================================
#
# Two pieces of middleware, WSGI apps that wrap WSGI apps, and then a server.
# HTTP/1.1 (RFC 9112) is lines of text on a socket that stays open: a head, an
# empty line, a body, the next head.  All depends on both sides agreeing where
# a body ends: by Content-Length, by chunks that say their size, or, in an
# answer, by closing.  What can be read in two ways is refused, for the second
# reading may be an attacker's request.  One thread watches all connections
# and collects what they send; a complete request goes to one of a bounded
# number of others, where wsgiref's handler runs the app (PEP 3333).  Nobody
# waits for a client that is slow.  Left out: HTTP/2, compression, many
# processes.  Real traffic goes through a real server.

_CONTROL_RE = _Regex("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_SERVED = frozenset("""
    load_dotenv passthrough_errors processes reloader_type request_handler
    static_files use_evalex""".split())


def _printable(text):
    """Return text for one line of a log: control characters are escaped."""
    return _CONTROL_RE.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


class ProxyFix:
    """Middleware that believes the X-Forwarded headers of known proxies.

    Each number says how many proxies add to that header.  The value that many
    places from the right is taken: whatever stands left of it the client may
    have written.  What the environ held before is kept in it, under
    "werkzeug.proxy_fix.orig".
    """

    def __init__(self, app: Any, x_for: int = 1, x_proto: int = 1,
                 x_host: int = 0, x_port: int = 0, x_prefix: int = 0) -> None:
        self.app = app
        self.x_for, self.x_proto, self.x_host = x_for, x_proto, x_host
        self.x_port, self.x_prefix = x_port, x_prefix

    def __call__(self, environ: dict, start_response: Any) -> Any:
        environ["werkzeug.proxy_fix.orig"] = {
            key: environ.get(key) for key in (
                "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME",
                "SERVER_PORT", "SCRIPT_NAME")}
        environ.update(self._fixed(environ))
        return self.app(environ, start_response)

    def _fixed(self, environ):
        """Yield what the proxies say of client, scheme, host, port, prefix."""
        def trusted(name, count):
            values = environ.get(f"HTTP_X_FORWARDED_{name}", "").split(",")
            return values[-count].strip() if 0 < count <= len(values) else ""

        address = trusted("FOR", self.x_for)
        if address:
            yield "REMOTE_ADDR", address
        scheme = trusted("PROTO", self.x_proto)
        if re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
            yield "wsgi.url_scheme", scheme
        host = trusted("HOST", self.x_host)
        if _is_valid_host(host):
            name = _PORT_RE.sub("", host)
            yield "HTTP_HOST", host
            yield "SERVER_NAME", name
            if name != host:
                yield "SERVER_PORT", host[len(name) + 1:]
        else:
            host = environ.get("HTTP_HOST")
        port = trusted("PORT", self.x_port)
        if _number(port) is not None:
            if host:
                yield "HTTP_HOST", _PORT_RE.sub("", host) + f":{port}"
            yield "SERVER_PORT", port
        prefix = trusted("PREFIX", self.x_prefix)
        if re.fullmatch(r"[^\x00-\x20?#\\\x7f]+", prefix):
            yield "SCRIPT_NAME", f"/{prefix.strip('/')}".rstrip("/")


class DispatcherMiddleware:
    """Middleware that mounts apps below path prefixes.

    DispatcherMiddleware(front, {"/api": api}) gives /api and /api/... to api,
    which sees "/api" as its SCRIPT_NAME, and everything else to front.
    """

    def __init__(self, app: Any, mounts: dict[str, Any] | None = None) -> None:
        self.app = app
        self.mounts = mounts or {}

    def __call__(self, environ: dict, start_response: Any) -> Any:
        prefix, rest = environ.get("PATH_INFO", ""), ""
        while "/" in prefix and prefix not in self.mounts:
            prefix, _, last = prefix.rpartition("/")
            rest = f"/{last}{rest}"
        if prefix not in self.mounts:
            return self.app(environ, start_response)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
        environ["PATH_INFO"] = rest
        return self.mounts[prefix](environ, start_response)


# -- the error page
#
# What a developer wants of an error, in this order: what went wrong, where in
# the own code, with which values, for which request.  The page is a template
# of section 15, so every value is escaped; it has no script, loads nothing and
# takes no input.  Only this machine sees it, and secrets are hidden: by their
# names, and by their values wherever else these turn up.

_LOOPBACK_RE = _Regex(r"(?:::ffff:)?127(?:\.[0-9]{1,3}){3}|\[?::1\]?")
# Headers that only a proxy adds.
_PROXY_RE = _Regex(
    "HTTP_(?:VIA|FORWARDED|X_REAL_IP|.*CLIENT_IP|(?:CF|X_(?:ORIGIN|ENVOY)).*)")
# Compiled when first used, for it costs a millisecond.
_SECRET = r"""(?: passw | passphrase | pwd | secret | token | cookie | [cx]srf
    | authori[sz]ation | credential | signature | session[_-]?id
    | (?: access | api | encryption | private | signing ) _?key
    | (?<![a-z]) (?: auth | jwt | keys? | otp | pin | pw ) (?![a-z]) )"""
# A secret inside a repr: "name": value, ("name", value) or name=value.
_NAMED_SECRET = rf"""({_SECRET}
    [\w-]{{0,40}} (?:["'] \s{{0,9}} [:,] | \s? =) \s{{0,9}})
    (\w* [\[({{] .* | [bru]? '(?:[^'\\]|\\.)*' | [bru]? "(?:[^"\\]|\\.)*"
    | [^\s,;&)}}\]]+)"""
_HIDDEN = "(hidden)"
_MOST_ERRORS, _MOST_FRAMES, _MOST_VALUES = 20, 40, 60


def _is_local(environ):
    """Return True if client, proxies and host are this machine."""
    environ = {**environ, **environ.get("werkzeug.proxy_fix.orig", {})}
    name = environ["SERVER_NAME"].lower()

    def all_of(key, other):
        told = environ.get(f"HTTP_X_FORWARDED_{key}", "").split(",")
        return [other, *filter(None, [part.strip().lower() for part in told])]

    clients = all_of("FOR", environ.get("REMOTE_ADDR") or "")
    host = environ.get("HTTP_HOST")
    # A foreign name may lead to this machine (DNS rebinding).
    hosts = [_PORT_RE.sub("", each) for each in all_of(
        "HOST", name if host is None else host.lower())]
    return (not any(map(_PROXY_RE.fullmatch, environ))
            and all(map(_LOOPBACK_RE.fullmatch, clients))
            and all(host in ("localhost", name) or host.endswith(".localhost")
                    or _LOOPBACK_RE.fullmatch(host) for host in hosts))


def _related(error):
    """Return [(how it is related, error)]: itself, its members, its causes."""
    found: dict = {}
    waiting = [("", error)]
    while waiting and len(found) < _MOST_ERRORS:
        relation, error = waiting.pop()
        if id(error) in found:
            continue
        found[id(error)] = relation, error
        if error.__cause__ is not None:
            waiting.append(("It was raised because of", error.__cause__))
        elif error.__context__ is not None and not error.__suppress_context__:
            waiting.append(("It was raised while handling", error.__context__))
        members = getattr(error, "exceptions", None)
        if isinstance(members, tuple):
            waiting += [(f"{number} of {len(members)} in the group", member)
                        for number, member in enumerate(members, 1)
                        if isinstance(member, BaseException)][::-1]
    return list(found.values())


def _tracebacks(error):
    """Yield the places an error came through, the innermost last."""
    tb = error.__traceback__
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _lines_of(file, names=None):
    """Return the lines of a module, or of a template's text."""
    import linecache    # for the error page only
    linecache.checkcache(file)
    return linecache.getlines(file, names)


def _failing_part(tb, lines):
    """Return where the part of the line begins and ends that failed."""
    positions: Any = getattr(tb.tb_frame.f_code, "co_positions", tuple)
    place = next(itertools.islice(positions(), tb.tb_lasti // 2, None), ())
    if not place or None in place or place[0] != tb.tb_lineno:
        return 0, 0     # as before Python 3.11
    line = "".join(lines[place[0] - 1:place[0]]).encode()
    end = place[3] if place[1] == place[0] else len(line)
    # The columns count bytes.
    return [len(line[:column].decode(errors="replace"))
            for column in (place[2], end)]


def _unread(error):
    """Return (file, lines, line, start, end) of what can't be compiled."""
    if isinstance(error, TemplateSyntaxError):
        texts = [value.template for tb in _tracebacks(error)
                 for value in list(tb.tb_frame.f_locals.values())
                 if isinstance(value, Template)]
        return (error.name, "".join(texts[-1:]).splitlines(), error.lineno,
                error.column - 1, sys.maxsize)
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        start = max(error.offset or 1, 1) - 1
        end = max((getattr(error, "end_offset", None) or 0) - 1, start + 1)
        lines = _lines_of(error.filename) or (
            [""] * min(error.lineno - 1, 10_000) + [error.text or ""])
        return error.filename, lines, error.lineno, start, end
    return None


def _advice_on(error, adapter):
    """Return (heading, lines): what may have been meant; or None."""
    import difflib      # Costs 3 ms at start and is only needed here.

    def nearest(text, known):
        return [f"{found}  \N{RIGHTWARDS ARROW}  {known[found]}" for found in
                difflib.get_close_matches(str(text)[:200], known, 6, 0)]

    if isinstance(error, MethodNotAllowed):
        return "Allowed methods", sorted(error.valid_methods or ())
    if isinstance(error, NotFound):
        return "The nearest rules", nearest(adapter.path_info, {
            rule.rule: rule.endpoint for rule in adapter.map.iter_rules()})
    if isinstance(error, BuildError) and error.adapter is not None:
        return "The nearest endpoints", nearest(error.endpoint, {
            str(rule.endpoint): rule.rule
            for rule in error.adapter.map.iter_rules()})
    return None


class _Report:
    """What there is to say of an error, cut and with secrets hidden."""

    def __init__(self, error: BaseException, ctx: Any) -> None:
        import reprlib      # for the error page only
        import traceback
        self.ctx, self.request = ctx, ctx.request
        # It does not walk through all of a huge value.
        self.short: Any = reprlib.Repr()
        self.short.maxstring, self.short.maxother = 400, 4000
        self.short.maxdict = self.short.maxlist = self.short.maxtuple = 20
        self.secrets = sorted(set(self.find_secrets()), key=len)[::-1]
        self.errors = [self.told(*pair) for pair in _related(error)]
        self.advice = _advice_on(error, ctx.url_adapter)
        self.tables = [(title, self.rows(pairs))
                       for title, pairs in self.asked() if pairs]
        self.target = self.text(f"{self.request.method} {self.request.path}")
        self.versions = (f"Python {sys.version.split()[0]} on {sys.platform},"
                         f" microflask {__version__}")
        lines = [": ".join(filter(None, self.errors[0]["title"])), ""]
        if self.advice is not None:
            lines += [f"{self.advice[0]}:", *self.advice[1], ""]
        if self.errors[0]["groups"]:
            lines.append("".join(traceback.format_exception(
                type(error), error, error.__traceback__)))
        self.plain = self.text("\n".join(
            [*lines, self.target, self.versions, ""]), 40_000)

    @staticmethod
    def is_secret(name):
        """Return True if what has this name is not for other eyes."""
        return re.search(_SECRET, str(name), re.VERBOSE | re.IGNORECASE)

    def find_secrets(self):
        """Yield the values that no text may show: long ones, by their name."""
        request, config = self.request, self.ctx.app.config
        login = request.authorization
        for name, value in (
                *request.headers, *request.args.items(multi=True),
                *self.read("form"), *(("cookie", value)
                                      for value in request.cookies.values()),
                ("", request._json_value), ("password", login and login.get(
                    "password")),
                *(pair for pair in config.items()
                  if not pair[0].startswith("SESSION_COOKIE_"))):
            for text in self.texts_in(name, value):
                yield from (part for part in (text, text.partition(" ")[2])
                            if len(part) >= 6)

    def texts_in(self, name, value, depth=0):
        """Yield the texts of a value, or of its items, with a secret name."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if type(value) is str and self.is_secret(name):
            yield value
        if isinstance(value, dict) and depth < 9:
            for key, item in value.items():
                inner = name if self.is_secret(name) else key
                yield from self.texts_in(inner, item, depth + 1)
        elif isinstance(value, (list, tuple, set)) and depth < 9:
            for item in value:
                yield from self.texts_in(name, item, depth + 1)

    def read(self, name):
        """Return the pairs of what was read of the body; more is not read."""
        return list(vars(self.request).get(name, MultiDict()).items(
            multi=True))

    def text(self, text, most=2000):
        """Return a text of a bounded length, without known secrets."""
        text = text[:most * 4].encode("utf-8", "replace").decode()
        text = re.sub(r"[^\S\n\t ]|[\x00-\x08\x0e-\x1f\x7f-\x9f]",
                      lambda m: repr(m[0])[1:-1], text)
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        text = re.sub(r"(://[^\s:/@]{0,99}:)[^\s/@]{1,999}@",
                      rf"\1{_HIDDEN}@", text)
        return text if len(text) <= most else f"{text[:most]}..."

    def shown(self, name, value):
        """Return the repr of a value, unless its name says it is secret."""
        if self.is_secret(name):
            return _HIDDEN
        try:
            text = self.short.repr(value)[:10_000]
        except BaseException as error:
            text = f"(not shown: it raised {type(error).__name__})"
        return self.text(re.sub(_NAMED_SECRET, rf"\1{_HIDDEN}", text,
                                flags=re.VERBOSE | re.IGNORECASE), 800)

    def rows(self, pairs, harmless=()):
        """Return the rows of a table of names and values."""
        return [(self.text(str(name), 200),
                 self.shown("" if name in harmless else name, value))
                for name, value in pairs[:_MOST_VALUES]]

    def asked(self):
        """Yield (title, pairs) of the request and what was read of it."""
        request = self.request
        yield "Route", [(name, getattr(request, name)) for name in (
            "endpoint", "view_args", "remote_addr")]
        yield "Query", list(request.args.items(multi=True))
        yield "Headers", list(request.headers)
        yield "Form", self.read("form")
        yield "Files", self.read("files")
        with contextlib.suppress(Exception):    # of an interface that fails
            yield "Session", list(dict(self.ctx.session).items())

    def told(self, relation, error):
        """Return the names of the page for one exception."""
        import traceback    # for the error page only
        texts = traceback.format_exception_only(type(error), error)
        if isinstance(error, SyntaxError):
            texts = texts[-1:]      # Before it stands the place.
        name, _, message = texts[0].partition(": ")
        traces, half = list(_tracebacks(error)), _MOST_FRAMES // 2
        frames = [self.frame(tb) for tb in (
            traces[:half] + traces[half:][-half:])]
        unread = _unread(error)
        if unread is not None:
            frames.append({"file": unread[0], "line": unread[2],
                           "source": self.excerpt(*unread[1:]), "values": [],
                           "function": "not compiled", "is_library": False})
        if all(frame["is_library"] for frame in frames):
            # No route was found, or there is no other place.
            frames = [] if isinstance(error, HTTPException) else frames
            for frame in frames[-1:]:
                frame["is_library"] = False
        return {"relation": relation,
                "title": (name.strip(), self.text(message).strip()),
                "notes": self.text("".join(texts[1:]).strip()),
                "left_out": len(traces) - _MOST_FRAMES, "groups": [
                    (folded, list(group)) for folded, group in
                    itertools.groupby(frames[::-1], operator.itemgetter(
                        "is_library"))]}

    def frame(self, tb):
        """Return the names of the page for one frame."""
        code, names = tb.tb_frame.f_code, tb.tb_frame.f_globals
        file, page = code.co_filename, names.get("__page")
        lines = _lines_of(file, names)
        return {
            "file": page or file, "line": tb.tb_lineno,
            "function": "template" if page else getattr(
                code, "co_qualname", code.co_name),
            "source": self.excerpt(
                lines, tb.tb_lineno, *_failing_part(tb, lines)),
            "values": self.rows([
                pair for pair in dict(tb.tb_frame.f_locals).items()
                if not str(pair[0]).startswith("__")], ("key", "keys")),
            "is_library": file.startswith((
                "<frozen", os.path.dirname(os.__file__),
                _Report.frame.__code__.co_filename)) or bool(
                    re.search(r"[\\/](site|dist)-packages[\\/]", file))}

    def excerpt(self, lines, failing, start, end):
        """Return [(number, is failing, before, failing part, after)]."""
        first = max(failing - 4, 1)
        texts = [text.rstrip() for text in lines[first - 1:failing + 4]]
        indent = min((len(text) - len(text.lstrip())
                      for text in texts if text), default=0)
        rows = []
        for number, text in enumerate(texts, first):
            left, right = (start, end) if number == failing and end else (
                len(text), len(text))
            rows.append((number, number == failing, *(
                self.text(part, 400) for part in (
                    text[indent:left], text[left:right], text[right:]))))
        return rows


_ERROR_PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<title>${errors[0].title | join(": ") | truncate(99)}</title>
<style>
:root { color-scheme: light dark; --text: light-dark(#1c1e21, #e4e6ea);
  --back: light-dark(#fff, #16181c); --soft: light-dark(#667080, #98a2b0);
  --line: light-dark(#d9dee5, #343a43); --box: light-dark(#f5f6f8, #1f2329);
  --row: light-dark(#fde9e7, #3a2020); --mark: light-dark(#f7b5af, #8c2f28) }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem;
  background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1rem; color: light-dark(#b3261e, #ff8a80) }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
.message { margin: .2rem 0 0; font-size: 1.35rem; font-weight: 600;
  line-height: 1.35 }
.soft, summary { color: var(--soft) }
summary { cursor: pointer; padding: .3rem 0 }
summary b { color: var(--text) }
p, summary, td { white-space: pre-wrap; overflow-wrap: anywhere }
pre, code, td { font: .85rem/1.55 ui-monospace, monospace }
.frame { margin: .6rem 0; padding: .3rem .8rem .6rem;
  border: 1px solid var(--line); border-radius: .5rem }
pre { margin: 0; padding: .4rem 0; overflow-x: auto; background: var(--box) }
pre span { display: block; width: max-content; min-width: 100%;
  padding-right: .8rem }
pre i { display: inline-block; width: 3.2rem; padding-right: .8rem;
  text-align: right; font-style: normal; color: var(--soft) }
@media (max-width: 40rem) { pre span { width: auto; padding-left: 3.2rem;
  white-space: pre-wrap; word-break: break-all }
  pre i { margin-left: -3.2rem } }
.failing { background: var(--row) }
mark { background: var(--mark); color: inherit }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
td { padding: .25rem .8rem .25rem 0; border-top: 1px solid var(--line);
  vertical-align: top }
td:first-child { width: 25%; color: var(--soft) }
.copy { padding: .8rem; user-select: all }
</style>
$def table(rows):
<table>
$for name, value in rows:
<tr><td>$name</td><td>$value</td></tr>
$end
</table>
$end
$def show(frame, is_open, is_first):
<details class="frame"${if is_open:} open${end}>
<summary><b>${frame.function}</b> in ${frame.file}, line ${frame.line}\
</summary>
<pre>${for number, is_failing, *parts in frame.source:}\
<span${if is_failing:} class="failing"${end}><i>$number</i>${parts[0]}\
${if parts[1]:}<mark>${parts[1]}</mark>${end}${parts[2]}</span>${end}</pre>
$if frame["values"]:
<details${if is_first:} open${end}>\
<summary>Local variables</summary>
${table(frame["values"])}
</details>
$end
</details>
$end
$for error in errors:
${if error.relation:}<h2>${error.relation}</h2>${end}
<h1>${error.title[0]}</h1>
<p class="message">${error.title[1]}</p>
${if error.notes:}<p>${error.notes}</p>${end}
$if loop.first:
<p class="soft">$target</p>
$if advice:
<h2>${advice[0]}</h2>
<ul>${for line in advice[1]:}<li><code>$line</code>${end}</ul>
$end
$end
$for folded, frames in error.groups:
$if folded:
<details><summary>Frames of libraries: ${frames | length}</summary>
${for frame in frames:}${show(frame, False, False)}${end}
</details>
$else:
${for frame in frames:}${show(frame, True, loop.first)}${end}
$end
$end
$if error.left_out > 0:
<p class="soft">${error.left_out} frames in the middle are left out.</p>
$end
$end
<h2>The request</h2>
$for title, rows in tables:
<details${if title == "Route":} open${end}><summary>$title</summary>
${table(rows)}
</details>
$end
<h2>Copy as text</h2>
<p class="soft">One click selects all of it.</p>
<pre class="copy">$plain</pre>
<p class="soft">$versions. Shown in debug mode, on this machine only.</p>
</html>
""")


def _error_page(error: BaseException, ctx: Any) -> Any:
    """Return (content type, text) of a report; None if it may not be seen.

    It is HTML for a browser, JSON for a client that asks for or sends JSON,
    and otherwise plain text, as for curl.
    """
    environ = ctx.request.environ
    if not _is_local(environ):
        return None
    report, accept = _Report(error, ctx), environ.get("HTTP_ACCEPT", "")
    if "text/html" in accept:
        return "text/html; charset=utf-8", _ERROR_PAGE.render(vars(report))
    if "json" in accept + environ.get("CONTENT_TYPE", ""):
        name, message = report.errors[0]["title"]
        return "application/json", _json.dumps(indent=2, obj={
            "error": name, "message": message, "advice": report.advice,
            "report": report.plain.splitlines()})
    return "text/plain; charset=utf-8", report.plain


# -- the reloader
#
# Python can't take back an import, so a change needs a new process.  The
# parent only starts the server as a child, again and again; a thread of the
# child watches what it has imported and ends it when something has changed.
# A child that breaks before it serves waits, in the parent, for the mend.

_RESTART, _STOPPED = 3, 4   # Exit statuses of the child.


def is_running_from_reloader() -> bool:
    """Return True in the process that serves under the reloader."""
    return os.environ.get("WERKZEUG_RUN_MAIN") == "true"


def _files_in(path):
    """Yield a file, or the files of a folder, without what is hidden."""
    if not os.path.isdir(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name[0] != "." and name not
                      in ("__pycache__", "node_modules", "venv")]
        yield from (os.path.join(folder, name) for name in names)


def _stamps(paths, without):
    """Return {file: what changes with it} of imported modules and paths."""
    from fnmatch import fnmatch     # for the reloader only
    files = [getattr(module, "__dict__", {}).get("__file__")
             for module in list(sys.modules.values())]
    # The program may be a zip file.
    for path in [*paths, *sys.argv[:1]]:
        files += itertools.islice(_files_in(os.fspath(path)), 5000)
    # What is away for a moment is being written.
    return {file: stamp for file, stamp in (
        (file, _stamp(file)) for file in files if isinstance(file, str)
        and not any(fnmatch(file, pattern) for pattern in without))
        if stamp is not None}


def _watcher(paths, without, since):
    """Return a function that returns a file that has changed, or None."""
    known: dict = _stamps(paths, without)
    for file, (changed, _) in known.items():
        if file.endswith(".py") and since < changed < time.time_ns():
            known[file] = None  # It was saved while the program started.

    def changed_file():
        for file, stamp in _stamps(paths, without).items():
            if known.setdefault(file, stamp) != stamp:
                return file
        return None
    return changed_file


def _command():
    """Return the command line that started this process."""
    if hasattr(sys, "orig_argv"):       # from Python 3.10
        return [sys.executable, *sys.orig_argv[1:]]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = sys.argv[:1]
    if spec is not None and spec.name != "__main__":
        program = ["-m", re.sub(r"\.__main__\Z", "", spec.name)]
    return [sys.executable, *program, *sys.argv[1:]]


def _serve_watched(main, changed_file, interval):
    """Call main(); exit when a file changes or the parent is gone."""
    import signal       # for servers only
    import threading
    main_thread: Any = threading.main_thread()
    parent, status = os.getppid(), 0

    def watch():
        nonlocal status
        file = None
        while file is None and os.getppid() == parent:
            time.sleep(interval)
            file = changed_file()
        if file is not None:
            status = _RESTART
            print(f" * {file} has changed", file=sys.stderr, flush=True)
        if hasattr(signal, "pthread_kill"):     # It interrupts waiting.
            signal.pthread_kill(main_thread.ident, signal.SIGTERM)
        else:       # pragma: no cover (Windows)
            signal.raise_signal(signal.SIGTERM)
        time.sleep(1)
        os._exit(_RESTART)      # Something holds the main thread.

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))
    threading.Thread(target=watch, daemon=True).start()
    try:
        main()
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code not in (None, 0, _RESTART):
            print(end.code, file=sys.stderr)
            status = _STOPPED
    sys.exit(status)


def _run_child(paths, without, interval):
    """Run the program in a child; return how that ended."""
    import subprocess   # for servers only

    def look():
        return _stamps([*paths, *(file for file in _files_in(os.getcwd())
                                  if file.endswith(".py"))], without)

    before = look()
    child = subprocess.Popen(_command(), env={
        **os.environ, "WERKZEUG_RUN_MAIN": "true",
        "MICROFLASK_STARTED": str(time.time_ns())})
    try:
        status = child.wait()
    finally:
        # It may end by itself, is asked to, and then made to.
        for stop in (child.poll, child.terminate, child.kill):
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
    if status in (0, _RESTART, _STOPPED):
        return status
    print(" * Waiting for a change", file=sys.stderr, flush=True)
    while look() == before:
        time.sleep(interval)
    return _RESTART


def run_with_reloader(main: Callable[[], Any], extra_files: Iterable = (),
                      exclude_patterns: Iterable[str] = (),
                      interval: float = 0.25) -> NoReturn:
    """Call main() in a child process, anew whenever a file has changed.

    Watched are the imported modules, `extra_files` and all files in folders
    among these, without what fits a pattern such as "*/tests/*".  `interval`
    is in seconds.
    """
    import signal       # for servers only
    import threading
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("The reloader works in the main thread alone;"
                           " elsewhere give use_reloader=False.")
    paths, without = list(extra_files), list(exclude_patterns)
    if is_running_from_reloader():
        started = int(os.environ.get("MICROFLASK_STARTED") or time.time_ns())
        _serve_watched(main, _watcher(paths, without, started), interval)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = _RESTART
    try:
        while status == _RESTART:
            status = _run_child(paths, without, interval)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        status = 0
    sys.exit(1 if status == _STOPPED else 0)


# -- reading a request

_MAX_LINE, _MAX_HEAD, _MAX_FIELDS = 8 * 1024, 64 * 1024, 100
_MAX_BODY, _BLOCK = 1024 ** 3, 64 * 1024
# request-line = method SP request-target SP HTTP-version (RFC 9112 3): the
# target is /path?query, http://host/path?query, or * for the whole server.
_REQUEST_RE = _Regex(
    rf"({_TOKEN}) (?:(?:[Hh][Tt][Tt][Pp][Ss]?://([^/?#@ ]+))?"
    r"(/[!-\x22$->@-~\x80-\xff]*)?(?:\?([!-\x22$-~\x80-\xff]*))?|\*)"
    r" HTTP/([0-9])\.([0-9])", re.ASCII)
_FIELD_RE = _Regex(rf"({_TOKEN}):[\t ]*({_VALUE_RE.pattern})")
_CHUNK_RE = _Regex(
    rf"([0-9A-Fa-f]{{1,15}})[\t ]*(?:;{_VALUE_RE.pattern})?")
# These may come once (RFC 9110 5.3).
_SINGLE = frozenset("""
    CONTENT_LENGTH CONTENT_TYPE HTTP_AUTHORIZATION HTTP_EXPECT HTTP_HOST
    HTTP_IF_MODIFIED_SINCE HTTP_IF_UNMODIFIED_SINCE HTTP_REFERER
    HTTP_TRANSFER_ENCODING HTTP_USER_AGENT""".split())


@functools.lru_cache(maxsize=256)
def _environ_key(name):
    """Return where a header stands in the environ, or None to drop it."""
    key = name.upper().replace("-", "_")
    if "_" in name or key == "PROXY":
        # The first would pass for one with a hyphen, which a proxy removes;
        # the second for the variable that sends our own requests elsewhere.
        return None
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _head_end(data, seen):
    """Return where the head of a request ends, or -1 if not yet in data."""
    if data and data != b"\r" and not 32 < data[0] < 127:
        raise BadRequest()      # A TLS hello, for example.
    if data.find(b"\r\n", 0, _MAX_LINE) < 0 and len(data) >= _MAX_LINE:
        raise RequestURITooLarge()
    end = data.find(b"\r\n\r\n", max(seen - 3, 0), _MAX_HEAD)
    if end < 0 and len(data) >= _MAX_HEAD:
        raise RequestHeaderFieldsTooLarge()
    start = max(seen - 1, 0)
    if end < 0 and data.count(b"\n", start) != data.count(b"\r\n", start):
        raise BadRequest()      # A line end without CR: no end would come.
    return end


def _read_head(head):
    """Return the environ of a head, without its last line end."""
    line, *fields = head.split("\r\n")
    environ, target = _read_request_line(line)
    if len(fields) > _MAX_FIELDS:
        raise RequestHeaderFieldsTooLarge()
    for field in fields:
        match = _FIELD_RE.fullmatch(field)
        if match is None:
            raise BadRequest()
        key, value = _environ_key(match[1]), match[2].rstrip("\t ")
        if key in environ:
            if key in _SINGLE:
                raise BadRequest()
            comma = "; " if key == "HTTP_COOKIE" else ","
            value = environ[key] + comma + value
        if key is not None:
            environ[key] = value
    host = environ.get("HTTP_HOST", "" if _is_modern(environ) else None)
    if not all(_is_valid_host(each) for each in (host, target)
               if each is not None):
        raise BadRequest()
    if target is not None:
        environ["HTTP_HOST"] = target
    return environ


def _read_request_line(line):
    match = _REQUEST_RE.fullmatch(line)
    if match is None:
        raise BadRequest()
    method, host, path, query, major, minor = match.groups()
    if major != "1":
        raise HTTPVersionNotSupported()
    if host is None and path is None and (
            query is not None or method != "OPTIONS"):
        raise BadRequest()
    path = "/" + (path or "").lstrip("/")
    return {
        "REQUEST_METHOD": method, "QUERY_STRING": query or "",
        "PATH_INFO": unquote(path, "latin-1") if "%" in path else path,
        "REQUEST_URI": line.split(" ")[1],
        "SERVER_PROTOCOL": "HTTP/1.0" if minor == "0" else "HTTP/1.1"}, host


def _is_modern(environ):
    return environ["SERVER_PROTOCOL"] == "HTTP/1.1"


def _wants_to_stay(environ):
    options = parse_set_header(environ.get("HTTP_CONNECTION"))
    if _is_modern(environ):
        return "close" not in options
    return "keep-alive" in options


class _Body(io.RawIOBase):
    """The body of a request, read from the connection as it is asked for."""

    def __init__(self, connection, environ):
        self._connection, self._total, self._error = connection, 0, None
        self._until = time.monotonic() + connection.server.patience
        coding = environ.get("HTTP_TRANSFER_ENCODING")
        self._is_chunked = coding is not None
        # Who reads one, and who the other?  Between two servers that do not
        # agree a request can be smuggled (RFC 9112 6.1).
        if self._is_chunked and (
                "CONTENT_LENGTH" in environ or not coding
                or not _is_modern(environ)):
            raise BadRequest()
        if self._is_chunked and coding.lower() != "chunked":
            raise MethodNotImplemented()
        self._left = _number(environ.get("CONTENT_LENGTH", "0"))
        if self._left is None:
            raise BadRequest()
        if self._left > _MAX_BODY:
            raise RequestEntityTooLarge()
        expected = environ.get("HTTP_EXPECT", "").lower()
        # Its client asks first, and waits (RFC 9110 10.1.1).
        self.is_expected = expected != "" and _is_modern(environ)
        if self.is_expected and expected != "100-continue":
            raise ExpectationFailed()

    @property
    def is_ready(self):
        """Say whether there is enough of it to begin."""
        return self._is_chunked or self.is_expected or (
            len(self._connection.data) >= min(self._left, _BLOCK))

    @property
    def is_unread(self):
        """Say whether the client has more of it on the way, as we know it."""
        return bool(self._left or self._is_chunked or self._error)

    def readable(self):
        """Return True."""
        return True

    def readinto(self, buffer):
        """Fill a buffer; return how many bytes it got, 0 at the end."""
        try:
            if self._error is not None:
                raise self._error
            if self.is_expected and not self._connection.data:
                self._connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.is_expected = False
            if self._is_chunked and not self._left:
                self._left = self._chunk_size()
                self._is_chunked = bool(self._left)
            return self._take(buffer) if self._left else 0
        except (HTTPException, OSError) as error:
            # A second try must not take the middle of it for its beginning.
            self._error = error
            raise

    def _fill(self):
        # A kilobyte a second is enough, less is an attack.
        left = self._until + self._total / 1024 - time.monotonic()
        patience = self._connection.server.patience
        came = self._connection.receive(max(min(left, patience), 0.001))
        if came is None:
            raise RequestTimeout()
        if not came:
            raise ClientDisconnected()

    def _take(self, buffer):
        data = self._connection.data
        if not data:
            self._fill()
        count = min(len(buffer), self._left, len(data))
        buffer[:count] = data[:count]
        del data[:count]
        self._left -= count
        self._total += count
        if self._is_chunked and not self._left:
            self._line(2)
        return count

    def _line(self, limit):
        data = self._connection.data
        while (end := data.find(b"\n", 0, limit)) < 0:
            if len(data) >= limit:
                raise BadRequest()
            self._fill()
        line = data[:end + 1].decode("latin-1")
        del data[:end + 1]
        if line[-2:] != "\r\n":
            raise BadRequest()
        return line[:-2]

    def _chunk_size(self):
        match = _CHUNK_RE.fullmatch(self._line(1024))
        if match is None:
            raise BadRequest()
        size = int(match[1], 16)
        if self._total + size > _MAX_BODY:
            raise RequestEntityTooLarge()
        trailers = 0
        while not size and (line := self._line(_MAX_LINE)):
            trailers += 1
            if not _FIELD_RE.fullmatch(line):
                raise BadRequest()
            if trailers > _MAX_FIELDS:
                raise RequestHeaderFieldsTooLarge()
        return size


# -- answering it

# They speak of one connection, which is the server's (RFC 9110 7.6.1).
_HOP_BY_HOP = frozenset("""
    connection keep-alive proxy-authenticate proxy-authorization te trailer
    trailers transfer-encoding upgrade""".split())
_STATUS_RE = _Regex("[2-9][0-9][0-9] .*")
_Lazy: Any = object     # Stands for a base that is imported when it is used.


@functools.lru_cache(maxsize=1)
def _clock(second):
    """Return a second for the Date header and for the log."""
    now = time.localtime(second)
    return http_date(second), time.strftime("%Y-%m-%d %H:%M:%S", now)


class _Answer(_Lazy):
    """The answer to one request: wsgiref's handler, with HTTP/1.1."""

    os_environ: dict[str, Any] = {}
    wsgi_file_wrapper = FileWrapper
    status: Any
    result: Any
    headers_sent: Any
    left: Any = None        # of the body, if its length is known
    is_chunked = is_bodiless = False

    def __init__(self, connection, environ):
        self.connection, self.body = connection, connection.body
        stream = (io.BufferedReader(self.body) if self.body.is_unread
                  else io.BytesIO())
        super().__init__(stream, None, sys.stderr, environ,
                         connection.server.threads > 1, False)
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
        self.is_modern = _is_modern(environ)

    def start_response(self, status, headers, exc_info=None):
        """Take the head of the answer (PEP 3333)."""
        try:
            if exc_info and self.headers_sent:
                raise exc_info[1].with_traceback(exc_info[2])
            if not exc_info and self.status is not None:
                raise AssertionError(
                    "start_response came twice without an error")
        finally:
            exc_info = None     # No cycle.
        if not _STATUS_RE.fullmatch(_head_text(status, "status")):
            raise ValueError(f"A status is like '200 OK', not {status!r}.")
        code = status[:3]
        self.is_bodiless = self.is_head or code in ("204", "205", "304")
        self.lines = [f"HTTP/1.1 {status}"]
        self.left = self._take_headers(headers)
        if code in ("204", "205"):
            self.left = None if code == "204" else 0
        self.status = status
        return self.write

    def _take_headers(self, headers):
        """Check the headers, keep what is the app's; return the length."""
        lengths, is_dated = set(), False
        for name, value in headers:
            if type(name) is not str or type(value) is not str:
                raise TypeError(f"A header is two str, not {name, value!r}.")
            lower = _head_text(name, "header name").lower()
            _head_text(value)
            is_dated = is_dated or lower == "date"
            if lower == "content-length":
                lengths.add(_number(value))
            elif lower not in _HOP_BY_HOP:
                self.lines.append(f"{name}: {value}")
            elif lower == "connection" and "close" in value.lower():
                self.connection.keep = False
        if not is_dated:
            self.lines.append(f"Date: {_clock(int(time.time()))[0]}")
        if len(lengths) > 1 or None in lengths:
            raise ValueError(f"Which Content-Length? {headers!r}")
        return lengths.pop() if lengths else None

    def _head(self, length):
        """Return the head as bytes; settle where the body will end."""
        if self.left is None and not self.is_bodiless:
            self.left = length
        if self.left is not None:
            self.lines.append(f"Content-Length: {self.left}")
        elif not self.is_bodiless and self.is_modern:
            self.is_chunked = True
            self.lines.append("Transfer-Encoding: chunked")
        elif not self.is_bodiless:
            self.connection.keep = False
        if self.body.is_unread:
            # What follows may be a body, not a request.
            self.connection.keep = self.body.is_expected = False
        if not self.connection.keep:
            self.lines.append("Connection: close")
        elif not self.is_modern:
            self.lines.append("Connection: keep-alive")
        self.headers_sent = True
        return "\r\n".join([*self.lines, "\r\n"]).encode("latin-1")

    def write(self, data, length=None):
        """Send a part of the body, with the head if it is the first."""
        if type(data) is not bytes:
            raise TypeError(f"A body is made of bytes, not {data!r}.")
        if not data and length is None:
            return
        if self.status is None:
            raise AssertionError("the app did not call start_response")
        head = b"" if self.headers_sent else self._head(length)
        if self.is_bodiless:
            data = b""
        elif self.left is not None:
            data = data[:self.left]
            self.left -= len(data)
        count = len(data)
        if self.is_chunked and data:
            data = b"%x\r\n%b\r\n" % (count, data)
        self.connection.send(head + data)
        self.bytes_sent += count

    def finish_response(self):
        """Send the body that the app returned, and close it, once."""
        try:
            if type(self.result) in (list, tuple):
                data = b"".join(self.result)
                self.write(data, len(data))
            elif not self.is_bodiless and not (
                    self.result_is_file() and self.sendfile()):
                for data in self.result:
                    self.write(data)
                    if self.is_bodiless:
                        break
            if not self.headers_sent:
                self.write(b"", 0)
            if self.is_chunked:
                self.connection.send(b"0\r\n\r\n")
            if self.left and not self.is_bodiless:
                self.connection.keep = False    # It is shorter than it said.
        finally:
            self.close()

    def sendfile(self):
        """Let the system copy a file to the socket; False if it can't."""
        file, sock = self.result.file, self.connection.sock
        if self.headers_sent or self.status is None or (
                hasattr(sock, "context") or not hasattr(os, "sendfile")):
            return False
        try:
            start, end = file.tell(), os.fstat(file.fileno()).st_size
        except (AttributeError, OSError, ValueError):
            return False
        self.write(b"", max(end - start, 0))
        while self.left and (sent := self.connection.send_file(
                file, start, self.left)):
            start += sent
            self.left -= sent
            self.bytes_sent += sent
        return True

    def close(self):
        """Close what the app returned."""
        result, self.result = self.result, None
        if hasattr(result, "close"):
            result.close()

    def handle_error(self):
        """Answer with the page of an error; log it, unless it is a 4xx."""
        error, self.connection.keep = sys.exc_info()[1], False
        if not isinstance(error, HTTPException):
            self.log_exception(sys.exc_info())
            error = InternalServerError()
        if not self.headers_sent:
            self.status = None
            self.result = error(self.environ, self.start_response)
            self.finish_response()


# -- connections

# Errors of a socket where nothing has come yet; some have no name in 3.9.
_IMPATIENT = frozenset(
    "BlockingIOError SSLWantReadError TimeoutError timeout".split())


class _Connection:
    """A client's socket, and what came from it and is not read yet."""

    def __init__(self, server, sock, client):
        self.server, self.sock, self.client = server, sock, client
        self.data = bytearray()
        self.is_lingering = self.is_ended = False
        self.blocked = None     # since when a thread waits for the client
        self.until = time.monotonic() + server.head_time
        self._reset()

    def _reset(self):
        self.request: Any = None    # its environ
        self.body: Any = None
        self.app, self.line, self._seen = self.server.application, "", 0
        self.keep = self._has_begun = False

    def fail(self, error):
        """Answer with an error, and no more."""
        self.app, self.keep = error, False
        method = "HEAD" if self.line.startswith("HEAD ") else "GET"
        self.request = {
            "REQUEST_METHOD": method, "SERVER_PROTOCOL": "HTTP/1.1"}
        self.body = _Body(self, self.request)

    def receive(self, seconds):
        """Wait for bytes; return False at the end, None if it takes longer."""
        try:
            data = self._patiently(seconds, self.sock.recv, _BLOCK)
        except OSError as error:
            return None if type(error).__name__ in _IMPATIENT else False
        self.data += data
        return bool(data)

    def fill(self):
        """Take what has come, without waiting; return False at the end."""
        came = self.receive(0)
        if came and not self._has_begun:
            self._has_begun = True
            self.until = time.monotonic() + self.server.head_time
        self.is_ended = came is False
        return not self.is_ended

    def is_ready(self):
        """Say whether there is a request, or an error, to answer."""
        if self.request is None:
            try:
                self._take_head()
            except HTTPException as error:
                start = self.data[:200].decode("latin-1")
                self.line = self.line or start.partition("\r\n")[0]
                self.fail(error)
        return self.request is not None and self.body.is_ready

    def _take_head(self):
        if self.data[:2] == b"\r\n":
            del self.data[:2]   # Some clients end a form with one.
        end = _head_end(self.data, self._seen)
        self._seen = len(self.data)
        if end < 0:
            return
        head = self.data[:end].decode("latin-1")
        del self.data[:end + 4]
        self.line = head.partition("\r\n")[0]
        environ = _read_head(head)
        self.body = _Body(self, environ)
        self.keep = _wants_to_stay(environ)
        self.request = environ

    def answer(self):
        """Answer the request; return whether there may be another."""
        start = time.perf_counter()
        environ = {**self.server.base_environ, **self.request}
        if self.client:
            environ["REMOTE_ADDR"] = self.client[0]
            environ["REMOTE_PORT"] = str(self.client[1])
        handler = self.server.answer_class(self, environ)
        with contextlib.suppress(BrokenPipeError):
            # What this request sets in context variables, the next won't see.
            contextvars.Context().run(handler.run, self.app)
        seconds = time.perf_counter() - start
        self.server.log(self, handler.status, handler.bytes_sent, seconds)
        keep = self.keep and handler.headers_sent
        self._reset()
        return keep

    def send(self, data):
        """Send bytes; a client that does not take them is gone."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._send(self.sock.send, rest):]

    def send_file(self, file, start, count):
        """Send some of a file; return how many bytes."""
        count = min(count, _BLOCK)      # So that progress can be seen.
        return self._send(self.sock.sendfile, file, start, count)

    def _send(self, function, *args):
        try:
            return self._patiently(self.server.patience, function, *args)
        except OSError:
            self.keep = False
            raise BrokenPipeError from None    # wsgiref's handler knows it.

    def _patiently(self, seconds, function, *args):
        self.blocked = time.monotonic()
        try:
            self.sock.settimeout(seconds)
            return function(*args)
        finally:
            self.blocked = None

    def linger(self):
        """Send no more, but let the client finish: else it sees a reset."""
        self.is_lingering = self._has_begun = True
        self.until = time.monotonic() + 2
        with contextlib.suppress(OSError):
            self.sock.shutdown(1)


# -- the server

# Green, cyan, yellow; errors of the server are red.
_COLOURS = {"2": 32, "3": 36, "4": 33}


class _Server(_Lazy):
    """One thread watches the connections, others answer what is complete.

    So a client that sends slowly, or nothing, costs a socket and no thread.
    """

    answer_class: Any = None
    _path: Any = None   # the file of a Unix socket, once it is ours
    request_queue_size = 128
    allow_reuse_address = os.name != "nt"
    head_time, idle_time, patience = 10.0, 60.0, 30.0
    max_connections = 500

    def __init__(self, address, app, threads, context):
        import queue
        import socket
        import threading
        is_unix = isinstance(address, str)
        self.address_family = (
            socket.AF_UNIX if is_unix
            else socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._bell, self._ringer = socket.socketpair()
        self._is_stopping, self._is_done = False, threading.Event()
        self._is_done.set()
        super().__init__(address, None)
        self._path = address if is_unix else None
        where: Any = (address, 0) if is_unix else self.server_address
        self.host, self.port = where[:2]
        for each in (self.socket, self._bell, self._ringer):
            each.setblocking(False)
        self.application, self.context = app, context
        self.threads = threads
        self.base_environ = {
            "SERVER_NAME": str(self.host), "SERVER_PORT": str(self.port or ""),
            "SCRIPT_NAME": "", "GATEWAY_INTERFACE": "CGI/1.1",
            "wsgi.input_terminated": True, "HTTPS": "on" if context else "off"}
        self._is_coloured = (
            sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
        self._connections: set[_Connection] = set()
        self._watched: set[_Connection] = set()     # the others are answered
        self._jobs: Any = queue.SimpleQueue()
        self._returned: Any = collections.deque()
        self._workers: list[Any] = []
        self._idle: Any = collections.deque()   # as long as workers are
        self._next_tidying = 0.0

    def start(self):
        """Serve in a thread of its own; return the server."""
        import threading
        if self._is_stopping:
            raise RuntimeError("The server has been stopped; make a new one.")
        self._is_done.clear()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def shutdown(self):
        """Make serve_forever() return."""
        self._is_stopping = True
        self._ring()
        self._is_done.wait(1)

    def server_close(self):
        """Stop serving, close all connections, free the address."""
        self.shutdown()
        for sock in (self.socket, self._bell, self._ringer):
            sock.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._path = None

    __enter__, stop = start, server_close

    def serve_forever(self, poll_interval=0.5):
        """Serve until shutdown() or an exception such as Ctrl-C."""
        import selectors
        self._is_done.clear()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, 1, self._accept)
        self._selector.register(self._bell, 1, self._take_back)
        try:
            while not self._is_stopping:
                hurry = 0.05 if self._jobs.qsize() else poll_interval
                for key, _ in self._selector.select(hurry):
                    key.data()
                self._tidy()
        finally:
            self._close_all()
            self._is_done.set()

    def _close_all(self):
        """Let answers that have begun end, for a moment; close the rest."""
        import queue
        self._selector.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()
        for _ in self._workers:
            self._jobs.put(None)
        until = time.monotonic() + 0.5
        for worker in self._workers:
            worker.join(max(until - time.monotonic(), 0))
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.sock.shutdown(2)
            connection.sock.close()

    def _accept(self):
        try:
            sock, client = self.socket.accept()
        except BlockingIOError:
            return
        except OSError:
            self._drop_oldest()     # Out of files.
            time.sleep(0.01)
            return
        try:
            if self.context is not None:
                sock = self.context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False)
                if sock.session_reused is None:
                    # It is closed, and would be read without TLS.
                    raise OSError(client)
            if client:
                sock.setsockopt(6, 1, 1)    # TCP_NODELAY
        except OSError:
            sock.close()
            return
        connection = _Connection(self, sock, client)
        self._connections.add(connection)
        self._watch(connection)
        if len(self._connections) > self.max_connections:
            self._drop_oldest()

    def _watch(self, connection):
        self._watched.add(connection)
        self._selector.register(
            connection.sock, 1, functools.partial(self._hear, connection))

    def _forget(self, connection):
        self._selector.unregister(connection.sock)
        self._watched.discard(connection)

    def _drop(self, connection):
        self._forget(connection)
        self._connections.discard(connection)
        connection.sock.close()

    def _drop_oldest(self):
        if self._watched:
            self._drop(min(self._watched, key=lambda each: each.until))

    def _hear(self, connection):
        """Read what a connection sent; a complete request is a job."""
        if connection not in self._watched:
            pass    # It was dropped a moment ago.
        elif connection.is_lingering:
            if not connection.fill():
                self._drop(connection)
            connection.data.clear()
        elif not connection.fill() and connection.request is None:
            self._drop(connection)
        elif connection.is_ready() or connection.is_ended:
            self._dispatch(connection)

    def _dispatch(self, connection):
        import threading
        self._forget(connection)
        self._jobs.put(connection)
        if self._jobs.qsize() > len(self._idle) and (
                len(self._workers) < self.threads):
            worker = threading.Thread(target=self._work, daemon=True)
            self._workers.append(worker)
            worker.start()

    def _tidy(self):
        """Close what waits for too long; help when all threads are busy."""
        now = time.monotonic()
        if now < self._next_tidying:
            return
        self._next_tidying = now + 0.05
        for connection in [each for each in self._watched if each.until < now]:
            has_begun = connection.data or connection.request is not None
            if connection.is_lingering or not has_begun:
                self._drop(connection)
            else:
                connection.fail(RequestTimeout())
                self._dispatch(connection)
        blocked = [each for each in self._connections
                   if (each.blocked or now) < now - 1]
        if blocked and self._jobs.qsize():
            with contextlib.suppress(OSError):
                blocked[0].sock.shutdown(2)

    def _work(self):
        """Answer requests: what each of the threads does."""
        while True:
            self._idle.append(None)
            connection = self._jobs.get()
            self._idle.pop()
            if connection is None:
                return
            try:
                is_next = self._answer(connection)
            except Exception:
                # Standard error may be closed.  This thread must live on.
                connection.linger()
                is_next = False
            if is_next:
                self._jobs.put(connection)
            else:
                self._returned.append(connection)
                self._ring()

    def _answer(self, connection):
        """Answer until nothing more is asked, or others wait (True)."""
        while connection.answer() and not self._is_stopping:
            if not connection.is_ready():
                connection.until = time.monotonic() + self.idle_time
                if self._jobs.qsize():
                    return False
                # Most clients have their next request at once.
                connection.receive(0.02)
                if not connection.is_ready():
                    return False
            elif self._jobs.qsize():
                return True
        connection.linger()
        return False

    def _ring(self):
        with contextlib.suppress(OSError):
            self._ringer.send(b".")

    def _take_back(self):
        """Watch the connections which the workers are done with."""
        self._bell.recv(4096)
        while self._returned:
            connection = self._returned.popleft()
            self._watch(connection)
            self._hear(connection)

    def log(self, connection, status, count, seconds):
        """Write a line about a request."""
        client = connection.client[0] if connection.client else "unix"
        status = status[:3] if status else "---"    # The client has gone.
        if self._is_coloured:
            status = f"\x1b[{_COLOURS.get(status[0], 31)}m{status}\x1b[0m"
        when = _clock(int(time.time()))[1]
        sys.stderr.write(f"{when} {client} {_printable(connection.line)}"
                         f" {status} {count} {seconds * 1000:.1f}ms\n")


@functools.lru_cache(maxsize=None)
def _server_class() -> Any:
    from socketserver import TCPServer  # They take long, and few need them.
    from wsgiref.handlers import SimpleHandler
    answer_class = type("_AnswerHandler", (_Answer, SimpleHandler), {})
    return type("_DevelopmentServer", (_Server, TCPServer), {
        "answer_class": answer_class})


def _tls_context(given):
    """Return an SSLContext: given, of (certificate, key), or "adhoc"."""
    if given is None or hasattr(given, "wrap_socket"):
        return given
    import ssl
    import subprocess
    import tempfile
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if given != "adhoc":
        files = [given] if isinstance(given, str) else given
        try:
            context.load_cert_chain(*files)
        except OSError as error:
            error.strerror = (f"Can't read {' and '.join(map(repr, files))}:"
                              f" {error.strerror}.")
            raise
        return context
    with tempfile.TemporaryDirectory() as folder:
        both = os.path.join(folder, "pem")
        try:
            subprocess.run([
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                "-days", "30", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-out", both, "-keyout", both],
                check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(
                "ssl_context='adhoc' needs the program openssl; without it,"
                " give (certificate, key) files.") from error
        context.load_cert_chain(both)
    return context


def _free_unix_path(path):
    """Remove a socket file that a server left which is no more."""
    import socket
    import stat
    with socket.socket(socket.AF_UNIX) as probe:
        if (probe.connect_ex(path) == errno.ECONNREFUSED
                and stat.S_ISSOCK(os.stat(path).st_mode)):
            os.unlink(path)


def make_server(host: str, port: int, app: Any, threaded: bool = False,
                ssl_context: Any = None) -> Any:
    """Return a server that listens; serve_forever() or start() answers.

    with make_server("127.0.0.1", 0, app) as server: ... server.port ...

    serves in a thread of its own until the block ends; start() and stop() do
    the same.  Port 0 takes a free one; the host may be "unix:PATH".  Raises
    OSError when the address is in use.
    """
    address: Any = (host, port)
    if host.startswith("unix:"):
        address = host[5:]
        _free_unix_path(address)
    context = _tls_context(ssl_context)
    try:
        return _server_class()(address, app, 64 if threaded else 1, context)
    except OSError as error:
        where = host if address == host[5:] else f"{host} port {port}"
        user = "AirPlay" if sys.platform == "darwin" else "Another program"
        hint = (f" {user} may use it; try another, such as port {port + 1}."
                if error.errno == errno.EADDRINUSE else "")
        error.strerror = f"Can't listen on {where}: {error.strerror}.{hint}"
        raise


def run_simple(hostname: str, port: int, application: Any,
               use_reloader: bool = False, use_debugger: bool = False, *,
               threaded: bool = False, ssl_context: Any = None,
               extra_files: Iterable | None = None,
               exclude_patterns: Iterable[str] | None = None,
               reloader_interval: float = 0.25, **options: Any) -> None:
    """Serve an app until Ctrl-C, and say where.

    `use_reloader` serves anew after each change, as run_with_reloader() does;
    `use_debugger` lets an app in debug mode show its errors to this machine.
    """
    unknown = set(options) - _NOT_SERVED
    if unknown:
        raise TypeError(f"run_simple() has no option {min(unknown)!r}.")

    def serve():
        try:
            server = make_server(
                hostname, port, application, threaded, ssl_context)
        except OSError as error:
            sys.exit(error.strerror)
        if use_debugger:
            server.base_environ["microflask.debugger"] = True
        if not use_reloader:
            _introduce(hostname, use_debugger, options)
        _serve(server, hostname)

    if not use_reloader:
        serve()
        return
    if not is_running_from_reloader():
        _introduce(hostname, use_debugger, options)
    run_with_reloader(serve, extra_files or (), exclude_patterns or (),
                      reloader_interval)


def _introduce(hostname, use_debugger, options):
    """Say what kind of server this is, and what it does without."""
    notes = ["A server for development and small tools. For the open Internet"
             " put\n   the app behind gunicorn, waitress or uWSGI."]
    if use_debugger:
        is_public = not (hostname.startswith(("localhost", "unix:"))
                         or _LOOPBACK_RE.fullmatch(hostname))
        notes.append("Debugger: this machine sees errors in full" + (
            f"; others may reach {hostname}, too, and should not."
            if is_public else "."))
    notes += [f"{name} is not supported by this server"
              for name in sorted(options) if options[name]]
    for note in notes:
        print(f" * {note}", file=sys.stderr, flush=True)


def _serve(server, hostname):
    """Serve until Ctrl-C, and say where."""
    scheme = "http" if server.context is None else "https"
    shown = f"[{hostname}]" if ":" in hostname else hostname
    where = (hostname if hostname.startswith("unix:")
             else f"{scheme}://{shown}:{server.port}")
    print(f" * Running on {where} (Ctrl-C stops it)",
          file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        if not is_running_from_reloader():
            print(file=sys.stderr)
    finally:
        server.server_close()


# =============================================================================
# 21. The test client
# =============================================================================
#
# A WSGI app is a function, so a test needs no server.  EnvironBuilder makes an
# environ of what a test says, such as data={"a": 1}; FlaskClient calls the app
# with it.  Like a browser it keeps cookies and follows redirects; unlike one
# it looks into the app: at the session, and at the context of a request.
#
# Left out: `Secure` keeps no cookie from plain http, where tests take place.

# As browsers write names (HTML, "multipart/form-data encoding algorithm").
_NAME_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_BODY_VARIABLES = "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"


def _form_fields(data):
    """Yield (name, text or FileStorage); only a list is several values."""
    keys = "stream", "filename", "content_type"
    lists = data.lists() if isinstance(data, MultiDict) else data.items()
    for name, values in lists:
        for value in values if isinstance(values, list) else [values]:
            if hasattr(value, "read") and not isinstance(value, FileStorage):
                value = (value,)
            if isinstance(value, tuple):
                value = FileStorage(**dict(zip(keys, value)), name=name)
            yield name, value


def encode_multipart(values: Any, boundary: str = "") -> tuple[str, bytes]:
    """Return (boundary, body) of a form; its files are read and closed."""
    import mimetypes
    import secrets
    boundary = boundary or f"---------------{secrets.token_hex(16)}"
    body = b""
    for name, value in _form_fields(values):
        head = f"\r\n--{boundary}\r\nContent-Disposition: form-data"
        head += f'; name="{name.translate(_NAME_ESCAPES)}"'
        data = str(value).encode()
        if isinstance(value, FileStorage):
            if value.filename is not None:
                filename = value.filename.translate(_NAME_ESCAPES)
                head += f'; filename="{filename}"'
            guess = mimetypes.guess_type(value.filename or "")[0]
            value.headers.setdefault(
                "Content-Type", guess or "application/octet-stream")
            head += "".join(f"\r\n{key}: {v}" for key, v in value.headers)
            data = value.read()
            value.close()
        body += head.encode() + b"\r\n\r\n" + data
    return boundary, body + f"\r\n--{boundary}--\r\n".encode()


def _encode_form(kind, data):
    """Return (content type, body) of a form, multipart if it has files."""
    fields = list(_form_fields(data))
    has_files = any(isinstance(value, FileStorage) for _, value in fields)
    kind = kind or ("multipart/form-data" if has_files else
                    "application/x-www-form-urlencoded")
    if not kind.startswith("multipart/form-data"):
        return kind, _urlencode(fields)
    boundary, body = encode_multipart(MultiDict(fields))
    return f'multipart/form-data; boundary="{boundary}"', body


def _read_back(name) -> Any:
    return property(lambda self: getattr(self.get_request(), name),
                    doc=f"Return the `{name}` of the request.")


class EnvironBuilder:
    """The environ of a request that a test describes.

    EnvironBuilder(app, path, base_url, subdomain, url_scheme, query_string,
    method) takes what is missing from the app's configuration; a path as the
    first argument needs no app.  `data` is text, bytes, a file, or a dict with
    texts, files, tuples of (file, name, type), or lists of these.
    """

    path, args, form, files, content_type = map(
        _read_back, "path args form files content_type".split())
    base_url = _read_back("root_url")

    def __init__(self, *args: Any, app: Any = None, **options: Any) -> None:
        names = ["path", "base_url", "query_string", "method"]
        if args and not isinstance(args[0], str):
            app, args = args[0], args[1:]
        if app is not None:
            names[2:2] = ["subdomain", "url_scheme"]
        options.update(zip(names, args))
        take = options.pop              # What nobody takes is an error.
        self.headers = headers = Headers(take("headers", None))
        auth = take("auth", None)
        if isinstance(auth, tuple):
            names = ["username", "password"]
            auth = Authorization("basic", dict(zip(names, auth)))
        if auth is not None:
            headers["Authorization"] = auth.to_header()
        self.method = take("method", "GET").upper()
        self._overrides = take("environ_overrides", None) or {}
        self._environ = {
            **(take("environ_base", None) or {}),
            **self._url(getattr(app, "config", {}), take),
            **self._body(getattr(app, "json", json), take, headers),
            "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
            "wsgi.errors": take("errors_stream", None) or sys.stderr,
            **{f"wsgi.{name}": take(name, False)
               for name in ("multithread", "multiprocess", "run_once")}}
        if options:
            raise TypeError(f"EnvironBuilder has no argument {list(options)}.")

    def _url(self, config, take):
        path, base_url = take("path", "/"), take("base_url", None)
        scheme, sub = take("url_scheme", None), take("subdomain", None)
        url, query = urlsplit(path), take("query_string", None)
        if base_url is None:
            host = config.get("SERVER_NAME") or "localhost"
            host = f"{sub}.{host}" if sub else host
            scheme = scheme or config.get("PREFERRED_URL_SCHEME", "http")
            base_url = urlunsplit((
                url.scheme or scheme, url.netloc or host,
                config.get("APPLICATION_ROOT", "/"), "", ""))
        elif sub or scheme or "?" in base_url or "#" in base_url:
            raise ValueError(f"{base_url!r} as a base URL goes with no query,"
                             " fragment, subdomain or url_scheme.")
        if query is not None and "?" in path:
            raise ValueError(f"There are two queries: {path!r}, {query!r}.")
        query = url.query if query is None else query
        if not isinstance(query, str):
            query = _urlencode(iter_multi_items(query))
        base = urlsplit(iri_to_uri(base_url))
        port = base.port or (443 if base.scheme == "https" else 80)
        return {
            "SCRIPT_NAME": _to_wsgi(unquote(base.path.rstrip("/"))),
            "PATH_INFO": _to_wsgi(unquote(url.path)),
            "QUERY_STRING": _to_wsgi(query),
            "REQUEST_URI": _to_wsgi(path), "RAW_URI": _to_wsgi(path),
            "SERVER_NAME": base.hostname or "", "SERVER_PORT": str(port),
            "HTTP_HOST": base.netloc, "wsgi.url_scheme": base.scheme}

    def _body(self, json, take, headers):
        headers.remove("Content-Length")
        kind = take("content_type", headers.pop("Content-Type", None))
        mimetype, stream = take("mimetype", None), take("input_stream", None)
        data, value = take("data", None), take("json", None)
        if [data, value, stream].count(None) < 2:
            raise TypeError("Give only one of data, json and input_stream.")
        if mimetype is not None:
            kind = _with_charset(mimetype)
        if value is not None:
            data, kind = json.dumps(value), kind or "application/json"
        elif isinstance(data, dict) and data:
            kind, data = _encode_form(kind, data)
        elif hasattr(data, "read"):
            data = data.read()
        if data:
            stream = io.BytesIO(data.encode() if isinstance(data, str)
                                else data)
        length = take("content_length", None)
        if stream is not None:
            length = stream.seek(0, 2)
            stream.seek(0)
        self.input_stream = io.BytesIO() if stream is None else stream
        given = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": length}
        return {"wsgi.input": self.input_stream, **{
            key: str(text) for key, text in given.items() if text is not None}}

    def get_environ(self) -> dict:
        """Return the environ (PEP 3333), its body from the start."""
        self.input_stream.seek(0)
        return {
            **self._environ, "REQUEST_METHOD": self.method,
            **{"HTTP_" + name.upper().replace("-", "_"):
               ", ".join(self.headers.getlist(name))
               for name in self.headers.keys()}, **self._overrides}

    def get_request(self, cls: Any = Request) -> Any:
        """Return the request."""
        return cls(self.get_environ())

    @classmethod
    def from_environ(cls, environ: Any, **options: Any) -> EnvironBuilder:
        """Return the builder of a request like another one."""
        request = Request(environ)
        return cls(**{
            "path": quote(request.path), "base_url": request.root_url,
            "query_string": _from_wsgi(environ.get("QUERY_STRING", "")),
            "method": request.method, "headers": request.headers,
            "content_type": request.content_type or None,
            "data": request.get_data(), **options})

    def close(self) -> None:
        """Do nothing: a file is closed as soon as it was read."""


def create_environ(*args: Any, **options: Any) -> dict:
    """Return the environ of an `EnvironBuilder(...)`."""
    return EnvironBuilder(*args, **options).get_environ()


def _origin(environ) -> tuple[str, str]:
    """Return host and path: they decide which cookies a request has."""
    host = _PORT_RE.sub("", environ.get("HTTP_HOST", "localhost"))
    path = _from_wsgi(environ["SCRIPT_NAME"] + environ["PATH_INFO"])
    return host.lower(), quote(path)


class Cookie(types.SimpleNamespace):
    """A cookie of a client; apps see `decoded_key` and `decoded_value`."""

    @classmethod
    def _of(cls, host, path, header):
        """Return the cookie that a Set-Cookie header makes."""
        pair, *rest = header.split(";")
        key, _, value = pair.partition("=")
        parts = [part.partition("=") for part in rest]
        given = {name.strip().lower(): text.strip() for name, _, text in parts}
        decoded = next(iter(parse_cookie(pair).items()), (key, value))
        return cls(
            key=key.strip(), value=value.strip(),
            decoded_key=decoded[0], decoded_value=decoded[1],
            expires=parse_date(given.get("expires")),
            max_age=int(given["max-age"]) if "max-age" in given else None,
            domain=given.get("domain", "").lstrip(".") or host,
            origin_only="domain" not in given,
            path=given.get("path") or path.rpartition("/")[0] or "/",
            secure="secure" in given, http_only="httponly" in given,
            same_site=given.get("samesite"))

    def _is_over(self):
        if self.max_age is not None:
            return self.max_age <= 0
        now = datetime.now(timezone.utc)
        return self.expires is not None and self.expires <= now

    def _goes_to(self, host, path):
        is_sub = not self.origin_only and host.endswith(f".{self.domain}")
        return (host == self.domain or is_sub) and (
            path == self.path or path.startswith(self.path.rstrip("/") + "/"))


class TestResponse(Response):
    """An answer, with its `request` and the `history` of redirects to it."""

    __test__ = False                # not for pytest
    default_mimetype = None

    def __init__(self, *args: Any, request: Any = None, history: tuple = (),
                 **options: Any) -> None:
        super().__init__(*args, **options)
        self.request, self.history = request, history

    text = property(lambda self: self.get_data(as_text=True),
                    doc="Return the body as text.")


class ClientRedirectError(Exception):
    """Redirects go in a circle."""


def _sender(method) -> Any:
    def send(self, *args, **options):
        return self.open(*args, **{**options, "method": method})
    send.__doc__ = f"Send a {method} request; see `open`."
    return send


class FlaskClient:
    """A browser for tests; `with client:` keeps the last context."""

    get, post, put, delete, patch, options, head, trace = map(
        _sender, "GET POST PUT DELETE PATCH OPTIONS HEAD TRACE".split())
    preserve_context = False

    def __init__(self, application: Any, response_wrapper: Any = None,
                 use_cookies: bool = True,
                 allow_subdomain_redirects: bool = False) -> None:
        self.application = application
        self.response_wrapper: Any = TestResponse
        if not issubclass(TestResponse, response_wrapper or TestResponse):
            self.response_wrapper = type(
                "TestResponse", (TestResponse, response_wrapper), {})
        self.allow_subdomain_redirects = allow_subdomain_redirects
        self.environ_base = {"REMOTE_ADDR": "127.0.0.1",
                             "HTTP_USER_AGENT": f"microflask/{__version__}"}
        self._jar: dict | None = {} if use_cookies else None
        self._new_contexts: list = []
        self._context_stack = contextlib.ExitStack()

    def __enter__(self) -> FlaskClient:
        if self.preserve_context:
            raise RuntimeError("Cannot nest client invocations.")
        self.preserve_context = True
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.preserve_context = False
        self._context_stack.close()

    @property
    def _cookies(self) -> dict:
        if self._jar is None:
            raise TypeError("Cookies are disabled by use_cookies=False.")
        return self._jar

    def get_cookie(self, key: str, domain: str = "localhost",
                   path: str = "/") -> Cookie | None:
        """Return a cookie, or None."""
        return self._cookies.get((domain, path, key))

    def set_cookie(self, key: str, value: str = "", *,
                   domain: str = "localhost", origin_only: bool = True,
                   path: str = "/", **options: Any) -> None:
        """Keep a cookie as if an app had set it with these arguments."""
        options["domain"] = None if origin_only else domain
        self._keep(domain, "/", dump_cookie(key, value, path=path, **options))

    def delete_cookie(self, key: str, *, domain: str = "localhost",
                      path: str = "/") -> None:
        """Forget a cookie."""
        self._cookies.pop((domain, path, key), None)

    def _send_cookies(self, environ):
        origin = _origin(environ)
        environ.pop("HTTP_COOKIE", None)
        found = [f"{cookie.key}={cookie.value}"
                 for cookie in self._cookies.values()
                 if cookie._goes_to(*origin) and not cookie._is_over()]
        if found:
            environ["HTTP_COOKIE"] = "; ".join(found)

    def _receive_cookies(self, environ, headers):
        for header in headers.getlist("Set-Cookie"):
            self._keep(*_origin(environ), header)

    def _keep(self, host, path, header):
        cookie = Cookie._of(host, path, header)
        place = cookie.domain, cookie.path, cookie.decoded_key
        self._cookies[place] = cookie
        if cookie._is_over():
            del self._cookies[place]

    @contextlib.contextmanager
    def session_transaction(self, *args: Any, **options: Any) -> Any:
        """Lend the session to a test; arguments as for `open`."""
        app = self.application
        ctx = app.test_request_context(*args, **options)
        self._send_cookies(ctx.request.environ)
        with ctx:
            session = app.session_interface.open_session(app, ctx.request)
        if session is None:
            raise RuntimeError("The session interface opened no session.")
        yield session
        if not app.session_interface.is_null_session(session):
            response = app.response_class()
            with ctx:
                app.session_interface.save_session(app, session, response)
            self._receive_cookies(ctx.request.environ, response.headers)

    def open(self, *args: Any, buffered: bool = False,
             follow_redirects: bool = False, **options: Any) -> Any:
        """Send a request, described as for EnvironBuilder or by an environ."""
        given = args[0] if args else "/"
        if isinstance(given, EnvironBuilder):
            given = given.get_environ()
        elif isinstance(given, str):
            given = create_environ(*args, app=self.application, **options)
        environ = getattr(given, "environ", given)
        response = self._send({**self.environ_base, **environ}, buffered)
        seen = set()
        while follow_redirects and response.status_code in {
                301, 302, 303, 305, 307, 308}:
            step = response.location, response.status_code
            if step in seen:
                raise ClientRedirectError(f"Redirected twice: {step}.")
            seen.add(step)
            response.make_sequence()    # an app may act when this ends
            response.close()
            history = (*response.history, response)
            response = self.resolve_redirect(response, buffered)
            response.history = history
        return response

    def _send(self, environ, buffered):
        self._context_stack.close()
        self._new_contexts.clear()
        if self.preserve_context:
            environ["microflask.preserve_context"] = self._new_contexts.append
        if self._jar is not None:
            self._send_cookies(environ)
        response = self.response_wrapper(*run_wsgi_app(
            self.application, environ, buffered), request=Request(environ))
        if self._jar is not None:
            self._receive_cookies(environ, response.headers)
        response.json_module = getattr(self.application, "json", json)
        for ctx in self._new_contexts:
            self._context_stack.enter_context(ctx)
        return response

    def resolve_redirect(self, response: Any, buffered: bool = False) -> Any:
        """Ask for the location of a redirect, as a browser does."""
        old = response.request.environ
        url = urlsplit(urljoin(get_current_url(old), response.location))
        host, new = _origin(old)[0], url.hostname or ""
        if new != host and not (self.allow_subdomain_redirects
                                and new.endswith(f".{host}")):
            raise RuntimeError(f"No external redirects: {response.location}.")
        root = quote(_from_wsgi(old["SCRIPT_NAME"]))
        root = root if f"{url.path}/".startswith(f"{root}/") else ""
        method, body = old["REQUEST_METHOD"], old["wsgi.input"]
        if response.status_code not in (307, 308):
            method, body = "HEAD" if method == "HEAD" else "GET", None
            old = {name: value for name, value in old.items()
                   if name not in _BODY_VARIABLES}
        new_environ = create_environ(
            url.path[len(root):], f"{url.scheme}://{url.netloc}{root}",
            url.query, method, input_stream=body,
            errors_stream=old["wsgi.errors"])
        return self.open({**old, **new_environ}, buffered=buffered)


Client = FlaskClient


# =============================================================================
# 22. The application context
# =============================================================================
#
# Section 10 looks into a box; here is what lies in it.  An AppContext knows
# the app and, while one is answered, the request.  `push` puts it into the
# box; `pop` restores what was there and runs the teardown functions.  A
# request inside a context of the same app shares its `g` and leaves the app's
# teardown to it; a context without a request inside a request is lent that
# request, its session and its URL adapter.  Session, `g` and URL adapter are
# made when first touched: most requests need one of them or none.


def _announce(signal, app, **values):
    """Send a signal of an app; nearly free when nobody listens."""
    if signal.receivers:
        signal.send(app, _async_wrapper=app.ensure_sync, **values)


class _AppCtxGlobals:
    """The namespace `g`: attributes that live as long as the context."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or the default."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _missing) -> Any:
        """Remove an attribute and return it; KeyError without default."""
        defaults = () if default is _missing else (default,)
        return self.__dict__.pop(name, *defaults)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return an attribute, after setting it if it is missing."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name):
        return name in self.__dict__

    def __iter__(self):
        return iter(self.__dict__)

    def __repr__(self):
        ctx = _cv_app.get(None)
        return f"<flask.g of {ctx.app.name!r}>" if ctx else super().__repr__()


class AppContext:
    """What is current: an app and, maybe, the request that it answers.

    Made by app.app_context(), app.request_context(environ) and
    app.test_request_context(...); `with` pushes and pops it.
    """

    _g: Any = None
    _flashes: list | None = None
    _lender: AppContext | None      # whose request it is, if not its own
    _shared: AppContext | None      # whose g it is, if not its own

    def __init__(self, app: Any, environ: dict | None = None,
                 request: Any = None, session: Any = None) -> None:
        if request is None and environ is not None:
            request = app.request_class(environ)
        self.app, self._request, self._session = app, request, session
        self._lender = self._shared = None
        self._tokens: list = []
        self._url_adapter: Any = _missing
        self._kept = 0              # streams that still run
        self._after_request_functions: Any = ()

    @property
    def has_request(self) -> bool:
        """Return True while a request is answered."""
        return self._request is not None

    @property
    def request(self) -> Any:
        """Return the request; RuntimeError if there is none."""
        if self._request is None:
            raise RuntimeError(
                "Working outside of request context. This context was made"
                " by app.app_context(), which holds no request; use"
                " app.test_request_context() to have one.")
        return self._request

    @property
    def g(self) -> Any:
        """Return the namespace that lives as long as this context."""
        if self._shared is not None:
            return self._shared.g
        if self._g is None:
            self._g = self.app.app_ctx_globals_class()
        return self._g

    @property
    def url_adapter(self) -> Any:
        """Return the URL map as this request sees it, or None."""
        owner = self if self._lender is None else self._owner()
        if owner._url_adapter is _missing:
            owner._url_adapter = None    # Stays so when the host is refused.
            owner._url_adapter = self.app.create_url_adapter(owner._request)
        return owner._url_adapter

    @property
    def session(self) -> Any:
        """Return the session, opened at its first use, and note the use."""
        session = self._session
        if session is None:
            session = self._open_session()
        session.accessed = True
        return session

    def _owner(self):
        """Return the context whose request this is: itself or the lender."""
        return self if self._lender is None else self._lender._owner()

    def _open_session(self):
        request, owner = self.request, self._owner()
        if owner._session is None:
            interface = owner.app.session_interface
            session = interface.open_session(owner.app, request)
            if session is None:
                session = interface.make_null_session(owner.app)
            owner._session = session
        return owner._session

    def _session_to_refresh(self, cookies):
        """Return the session that nobody opened if its cookie came."""
        if self.app.config["SESSION_REFRESH_EACH_REQUEST"]:
            name = self.app.session_interface.get_cookie_name(self.app)
            if _to_wsgi(name) in cookies:
                return self._open_session()
        return None

    def copy(self) -> AppContext:
        """Return a context with the same request and session, for a thread."""
        return type(self)(self.app, request=self.request,
                          session=self._open_session())

    def match_request(self) -> None:
        """Find the rule of the request's URL, or the error to raise later."""
        request = self._request
        try:
            adapter = self.url_adapter
            if adapter is not None:
                found = adapter.match(return_rule=True)
                request.url_rule, request.view_args = found
        except HTTPException as error:
            # A traceback would hold this frame, and so the request itself.
            request.routing_exception = error.with_traceback(None)

    def push(self) -> None:
        """Make this the current context."""
        is_new, is_own = not self._tokens, self._request is not None
        outer = _cv_app.get(None) if is_new else None
        if outer is not None and is_own:
            self._shared = outer if outer.app is self.app else None
        elif outer is not None and outer._request is not None:
            self._request, self._lender = outer._request, outer
        self._tokens.append(_cv_app.set(self))
        if appcontext_pushed.receivers and self._shared is None:
            _announce(appcontext_pushed, self.app)
        if is_new and is_own:
            # Only the built-in interface may wait for the first use.
            interface = self.app.session_interface
            if type(interface) is not SecureCookieSessionInterface:
                self._open_session()
            self.match_request()

    def pop(self, exc: Any = _missing) -> None:
        """Restore the context before this one; the last pop tears down."""
        tokens = self._tokens
        last = len(tokens) == 1 and not self._kept
        try:
            if last:
                self._tear_down(sys.exc_info()[1] if exc is _missing else exc)
        finally:
            found = _cv_app.get(None)
            if found is self and tokens:
                _cv_app.reset(tokens.pop())
            elif tokens and found is not None and found._shared is self:
                # A test client keeps a request that came inside of this: it
                # goes on, and restores what was before both.
                found._tokens[-1] = tokens.pop()
            else:
                raise AssertionError(
                    f"Popped wrong app context: {self!r} instead of {found!r}."
                    " Pop contexts in the reverse order of their pushes.")
            if appcontext_popped.receivers and self._shared is None:
                _announce(appcontext_popped, self.app)
            if last and (self._shared or self._lender):
                self._leave()

    def _leave(self):
        if self._lender is not None:
            self._request = self._lender = None
        self._shared = None

    def _tear_down(self, exc):
        app, request = self.app, self._request
        try:
            if request is not None and self._lender is None:
                try:
                    app.do_teardown_request(exc)
                finally:
                    if request.routing_exception is not None:
                        # Raised, it holds the frames that hold the request.
                        request.routing_exception.__traceback__ = None
                    request.close()
        finally:
            if self._shared is None:
                app.do_teardown_appcontext(exc)

    def _keep(self):
        """Put off the teardown until `_release`: a stream still runs."""
        self._kept += 1

    def _release(self, exc):
        self._kept -= 1
        if not self._kept and not self._tokens:
            self._tear_down(exc)
            self._leave()

    def __enter__(self) -> AppContext:
        try:
            self.push()
        except BaseException as error:
            self.pop(error)
            raise
        return self

    def __exit__(self, kind, value, traceback):
        self.pop(value)

    def __repr__(self):
        request = self._request
        if request is None:
            return f"<AppContext of {self.app.name}>"
        return (f"<RequestContext {request.url!r} [{request.method}]"
                f" of {self.app.name}>")


RequestContext = AppContext


# =============================================================================
# 23. Helpers a view calls
# =============================================================================
#
# Small functions that look into the box, so that a view need not be handed the
# app or the request.  Most only pass on to a method of the current app, which
# a subclass may replace.
#
# Files get the care here: a path from a URL is joined by `safe_join` alone,
# and `send_file` answers with validators, ranges and a name to download.

_WINDOWS = os.name == "nt"
_DEVICES = frozenset("CON PRN AUX NUL CONIN$ CONOUT$".split()) | {
    name + n for name in ("COM", "LPT") for n in "0123456789\xb9\xb2\xb3"}


def has_app_context() -> bool:
    """Return True where current_app and g can be used."""
    return _cv_app.get(None) is not None


def has_request_context() -> bool:
    """Return True where request and session can be used."""
    ctx = _cv_app.get(None)
    return ctx is not None and ctx.has_request


def _request_context(name):
    """Return the current context; a RuntimeError if it has no request."""
    if not has_request_context():
        raise RuntimeError(
            f"Working outside of request context. {name!r} can only be used"
            " while a request is answered, such as in a view function.")
    return _cv_app.get()


def after_this_request(f: Callable[..., Any]) -> Callable[..., Any]:
    """Run f with the response of this request; it returns the response."""
    owner = _request_context("after_this_request")._owner()
    if not owner._after_request_functions:
        owner._after_request_functions = []
    owner._after_request_functions.append(f)
    return f


def copy_current_request_context(f: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap f so that it sees this request, in another thread, too."""
    original = _request_context("copy_current_request_context").copy()

    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        with original.copy() as ctx:
            return ctx.app.ensure_sync(f)(*args, **kwargs)
    return wrapper


class _ContextStream:
    """An iterator each of whose steps runs inside the context it began in."""

    def __init__(self, ctx, iterator):
        self._context = contextvars.copy_context()
        self._ctx, self._iterator = ctx, iterator
        ctx._keep()

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._context.run(next, self._iterator)
        except StopIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise

    def close(self):
        """End the iterator early, then the context that waited for it."""
        self._end(GeneratorExit())

    def _end(self, error):
        ctx, self._ctx = self._ctx, None
        if ctx is None:
            return
        try:
            if hasattr(self._iterator, "close"):
                self._context.run(self._iterator.close)
        finally:
            self._context.run(ctx._release, error)

    __del__ = close


def stream_with_context(generator_or_function: Any) -> Any:
    """Keep the request context while a stream is sent.

    Wraps an iterator, or decorates a function that returns one.  Teardown
    functions run when the stream ends.
    """
    if not hasattr(generator_or_function, "__iter__"):
        @functools.wraps(generator_or_function)
        def decorated(*args, **kwargs):
            return stream_with_context(generator_or_function(*args, **kwargs))
        return decorated
    return _ContextStream(
        _request_context("stream_with_context"), iter(generator_or_function))


def make_response(*args: Any) -> Response:
    """Return the response that a view's return value would become.

    make_response("text", 404) is for adding headers or cookies before the
    view returns; without arguments the response is empty.
    """
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def url_for(endpoint: str, /, *, _anchor: str | None = None,
            _method: str | None = None, _scheme: str | None = None,
            _external: bool | None = None, **values: Any) -> str:
    """Return the URL of an endpoint with these values; see Flask.url_for."""
    return current_app.url_for(
        endpoint, _anchor=_anchor, _method=_method, _scheme=_scheme,
        _external=_external, **values)


def redirect(location: str, code: int = 302, Response: Any = None) -> Response:
    """Return a response that sends the client to another URL."""
    if Response is None and has_app_context():
        return current_app.redirect(location, code=code)
    return _redirect_to(location, code, Response)


_default_aborter = Aborter()


def abort(code: Any, /, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the HTTP error of a status code, or answer with a response."""
    aborter = current_app.aborter if has_app_context() else _default_aborter
    aborter(code, *args, **kwargs)
    raise RuntimeError(f"The aborter returned instead of raising {code!r}.")


def render_template(template_name_or_list: Any, **context: Any) -> str:
    """Return the page of a template, or of the first one that exists."""
    return _render(current_app.template_engine.get_template(
        template_name_or_list), context)


def render_template_string(source: str, **context: Any) -> str:
    """Return the page of a template that is given as text."""
    return _render(current_app.template_engine.from_string(source), context)


def _render(template, context):
    app = _cv_app.get().app
    app.update_template_context(context)
    _announce(before_render_template, app, template=template, context=context)
    page = template.render(context)
    _announce(template_rendered, app, template=template, context=context)
    return page


def stream_template(template_name_or_list: Any,
                    **context: Any) -> Iterator[str]:
    """Return an iterator over the pieces of a template's page."""
    return _stream(current_app.template_engine.get_template(
        template_name_or_list), context)


def stream_template_string(source: str, **context: Any) -> Iterator[str]:
    """Return an iterator over the pieces of the page of a text."""
    return _stream(current_app.template_engine.from_string(source), context)


def _stream(template, context):
    app = _cv_app.get().app
    app.update_template_context(context)
    _announce(before_render_template, app, template=template, context=context)

    def generate():
        # To a server an empty piece may look like the end.
        yield from filter(None, template.generate(context))
        _announce(template_rendered, app, template=template, context=context)
    pieces = generate()
    return stream_with_context(pieces) if has_request_context() else pieces


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """Return a macro or a variable that a template defines."""
    template = current_app.template_engine.get_template(template_name)
    return getattr(template.module, attribute)


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next page that shows messages."""
    flashes = session.get("_flashes", [])
    flashes.append((category, message))
    session["_flashes"] = flashes
    _announce(message_flashed, _cv_app.get().app,
              message=message, category=category)


def get_flashed_messages(with_categories: bool = False,
                         category_filter: Iterable[str] = ()) -> list:
    """Return the flashed messages, and take them out of the session.

    Within one request each call sees the same messages.
    """
    owner = _request_context("get_flashed_messages")._owner()
    if owner._flashes is None:
        found = "_flashes" in session    # To take nothing would be a change.
        owner._flashes = session.pop("_flashes") if found else []
    flashes = owner._flashes
    if category_filter:
        flashes = [pair for pair in flashes if pair[0] in category_filter]
    return list(flashes) if with_categories else [text for _, text in flashes]


def safe_join(directory: str, *untrusted: str) -> str | None:
    """Join parts that came from a client to a directory, or return None.

    None means that the path could leave the directory, or name a device.
    Backslashes, dot-dot segments and NUL are refused on every system.
    """
    path = directory or "."
    for part in filter(None, untrusted):
        names = part.split("/")
        if (part.startswith("/") or "\\" in part or "\0" in part
                or ".." in names or _WINDOWS and (
                    ":" in part or any(map(_is_device, names)))):
            return None
        path = posixpath.join(path, posixpath.normpath(part))
    return path


def _is_device(name):
    return name.partition(".")[0].strip().upper() in _DEVICES


def _ascii(text: str) -> str:
    """Return the ASCII letters nearest to a text, without the others."""
    # Only files need it.
    import unicodedata
    text = unicodedata.normalize("NFKD", text)
    return text.encode("ascii", "ignore").decode("ascii")


def secure_filename(filename: str) -> str:
    """Return an ASCII file name that is safe to store under; maybe empty.

    secure_filename("../../etc/passwd") -> "etc_passwd"
    """
    text = _ascii(filename)
    for separator in filter(None, (os.sep, os.path.altsep)):
        text = text.replace(separator, " ")
    text = re.sub(r"[^A-Za-z0-9_.-]", "", "_".join(text.split())).strip("._")
    return f"_{text}" if _WINDOWS and _is_device(text) else text


def send_file(path_or_file: Any, mimetype: str | None = None,
              as_attachment: bool = False, download_name: str | None = None,
              conditional: bool = True, etag: bool | str = True,
              last_modified: Any = None, max_age: Any = None) -> Response:
    """Answer with a file: a path (relative to the app) or a binary file.

    Sends a type, a name, validators and a cache lifetime (max_age in seconds
    or a function of the path) and answers conditional and range requests.
    Never pass a path that came from a client: see send_from_directory.
    """
    path, size, modified = None, None, last_modified
    if isinstance(path_or_file, (str, os.PathLike)):
        path = os.path.join(current_app.root_path, os.fspath(path_or_file))
        stat = os.stat(path)
        size = stat.st_size
        # A clock that was wrong must not promise what is to come.
        modified = last_modified or min(stat.st_mtime, time.time())
        download_name = download_name or os.path.basename(path)
    headers, mimetype = _file_head(mimetype, as_attachment, download_name)
    if path is not None and current_app.config["USE_X_SENDFILE"]:
        headers["X-Sendfile"], file = path, None
    else:
        file = open(path, "rb") if path is not None else path_or_file
        size = size if path is not None else _size_in_memory(file)
    response = current_app.response_class(
        None if file is None else wrap_file(request.environ, file),
        mimetype=mimetype, headers=headers, direct_passthrough=True)
    if size is not None:
        response.content_length = size
    if modified is not None:
        response.last_modified = modified
    _set_lifetime(response, max_age, path)
    if isinstance(etag, str):
        response.set_etag(etag)
    elif etag and path is not None:
        check = zlib.adler32(path.encode()) & 0xffffffff
        response.set_etag(f"{stat.st_mtime}-{size}-{check}")
    return _conditional_file(response, size) if conditional else response


def _file_head(mimetype, as_attachment, name):
    """Return the headers that name a file, and its type."""
    headers = Headers()
    if mimetype is None:
        if name is None:
            raise TypeError(
                "Unable to detect the MIME type because a file name is not"
                " available. Pass 'mimetype' or 'download_name'.")
        import mimetypes    # Few apps send files.
        mimetype, encoding = mimetypes.guess_type(name)
        # A browser would unpack an attachment and save it under a false name.
        if encoding is not None and not as_attachment:
            headers.set("Content-Encoding", encoding)
    if name is not None:
        value = "attachment" if as_attachment else "inline"
        if not name.isascii():    # Not all know the other form (RFC 6266 D).
            value = dump_options_header(value, {"filename": _ascii(name)})
        headers.set("Content-Disposition", value, filename=name)
    elif as_attachment:
        raise TypeError("No name provided for attachment:"
                        " pass 'download_name'.")
    return headers, mimetype or "application/octet-stream"


def _size_in_memory(file):
    """Return the size of a file object where it is known for sure."""
    if isinstance(file, io.TextIOBase):
        raise ValueError(
            f"The file {file!r} was opened as text, which can't be sent. Open"
            " it in binary mode ('rb'), or use BytesIO.")
    return file.getbuffer().nbytes if isinstance(file, io.BytesIO) else None


def _set_lifetime(response: Any, max_age, path):
    if max_age is None:
        max_age = current_app.get_send_file_max_age
    if callable(max_age):
        max_age = max_age(path)
    response.cache_control.no_cache = True
    if max_age is not None:
        if max_age > 0:
            response.cache_control.no_cache = None
            response.cache_control.public = True
        response.cache_control.max_age = max_age
        response.expires = int(time.time() + max_age)


def _conditional_file(response, size):
    """Apply the request's conditions; X-Sendfile goes when nothing is sent."""
    try:
        response.make_conditional(
            request, accept_ranges=True, complete_length=size)
    except BaseException:
        response.close()
        raise
    if response.status_code == 304:
        response.headers.pop("X-Sendfile", None)
    return response


def send_from_directory(directory: Any, path: Any, **kwargs: Any) -> Response:
    """Answer with a file below a directory; 404 for anything else.

    The directory is relative to the app's root; `path` may come from a client.
    """
    root = os.path.join(current_app.root_path, os.fspath(directory))
    full = safe_join(root, os.fspath(path))
    if full is None or not os.path.isfile(full):
        raise NotFound()
    return send_file(full, **kwargs)


# =============================================================================
# 24. Class-based views
# =============================================================================
#
# A view may be a class: `as_view` makes the function that a rule needs.  By
# default each request gets an object of its own, so `self` may keep state.
# A MethodView sends each HTTP method to the method of that name.

_VIEW_METHODS = ("get", "post", "head", "options", "delete", "put", "trace",
                 "patch")


class View:
    """A view as a class: override dispatch_request(**values)."""

    methods: Any = None
    provide_automatic_options: bool | None = None
    decorators: Any = ()
    init_every_request = True

    def dispatch_request(self) -> Any:
        """Return the answer to the request; gets the URL's values."""
        raise NotImplementedError(
            f"{type(self).__name__} has no dispatch_request method.")

    @classmethod
    def as_view(cls, name: str, *class_args: Any,
                **class_kwargs: Any) -> Callable[..., Any]:
        """Return a view function of this name for add_url_rule.

        The arguments are given to the class; `decorators` are applied, the
        first one innermost.
        """
        shared = None
        if not cls.init_every_request:
            shared = cls(*class_args, **class_kwargs)

        def dispatch(**values):
            self = shared
            if self is None:
                self = view.view_class(*class_args, **class_kwargs)
            return current_app.ensure_sync(self.dispatch_request)(**values)
        dispatch.__name__, dispatch.__module__ = name, cls.__module__
        view: Any = dispatch
        for decorator in cls.decorators or ():
            view = decorator(view)
        # Routing and extensions look at these.
        view.view_class = cls
        view.__name__, view.__module__ = name, cls.__module__
        view.__doc__, view.methods = cls.__doc__, cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        return view


class MethodView(View):
    """A view with one method for each HTTP method: get, post, ..."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the methods that the class and its bases define."""
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            found = {method for base in cls.__bases__
                     for method in getattr(base, "methods", None) or ()}
            found.update(name.upper() for name in _VIEW_METHODS
                         if hasattr(cls, name))
            if found:
                cls.methods = found

    def dispatch_request(self, **values: Any) -> Any:
        """Call the method named like the request's; HEAD falls back to get."""
        name = request.method.lower()
        if name == "head" and not hasattr(self, name):
            name = "get"
        if not hasattr(self, name):
            raise MethodNotAllowed(sorted(self.methods or ()))
        return current_app.ensure_sync(getattr(self, name))(**values)


# =============================================================================
# 25. Commands
# =============================================================================
#
# A command is a function that the command line calls.  Its parameters are the
# command's: what has no default is an argument, what has one is an option, a
# bool is a flag, and annotations say how to read a text.
#
#     @app.cli.command()
#     def greet(name, times: int = 1, loud: bool = False):
#         """Greet somebody."""
#
# is called as `greet Ada --times 3 --loud`.  Commands stand in groups, which
# are commands too.  How an app is found is told in section 29.
# Left out: click's decorators and prompts; use input() and print().


class UsageError(Exception):
    """A command was called wrongly: one sentence, and exit code 2."""


def get_debug_flag() -> bool:
    """Return True if FLASK_DEBUG asks for debug mode."""
    flag = os.environ.get("FLASK_DEBUG", "").lower()
    return flag not in ("", "0", "false", "no")


def get_load_dotenv(default: bool = True) -> bool:
    """Return False if FLASK_SKIP_DOTENV forbids to read .env files."""
    flag = os.environ.get("FLASK_SKIP_DOTENV")
    return flag.lower() in ("0", "false", "no") if flag else default


# One line of a .env file, which may span several: export NAME='value' # why
_ENV_RE = _Regex(r"""
    [^\S\r\n]* (?:export[^\S\r\n]+ | (?!export[^\S\r\n]))
    (?: '(?P<quoted>[^']+)' | (?P<name>[^'=\#\s][^=\#\s]*) )
    (?: [^\S\r\n]* = [^\S\r\n]* (?:
        '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" )
    | [^\S\r\n]* = (?P<plain>(?![^\S\r\n]*['"])[^\r\n]*) )?
    [^\S\r\n]* (?:\#[^\r\n]*)? (?:\r\n|\n|\r|\Z)
    | [^\r\n]+     # a comment, or what can't be read
    """, re.VERBOSE | re.DOTALL)
_ENV_PLACE_RE = _Regex(r"\$\{([^}:]{0,99})(?::-([^}]{0,999}))?\}")


def _env_values(text: str) -> dict[Any, str | None]:
    """Return what the text of a .env file sets; a bare NAME gives None."""
    values: dict[Any, str | None] = {}

    def place(match):
        known = {**os.environ, **values}
        return known.get(match[1], match[2] or "") or ""

    for match in _ENV_RE.finditer(text):
        single, double, value = match.group("single", "double", "plain")
        if single is not None:
            value = re.sub(r"\\([\\'])", r"\1", single)
        elif double is not None:
            value = re.sub(r"""\\[\\'"abfnrtv]""", lambda m: codecs.decode(
                m[0], "unicode_escape"), double)
        elif value is not None:
            value = re.sub(r"(?<!\s)\s+#.*", "", value).strip()
        if value is not None:
            value = _ENV_PLACE_RE.sub(place, value)
        values[match["quoted"] or match["name"]] = value
    values.pop(None, "")
    return values


def _find_upwards(name):
    """Return the file of that name here or in a folder above, or None."""
    folder = os.getcwd()
    while not os.path.isfile(os.path.join(folder, name)):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    return os.path.join(folder, name)


def load_dotenv(path: Any = None, load_defaults: bool = True) -> bool:
    """Set environment variables from .flaskenv, .env and the file given.

    The later of these wins, and what is set already wins over all.  Returns
    True if there was anything to read.
    """
    values: dict[str, str | None] = {}
    defaults = (".flaskenv", ".env") if load_defaults else ()
    for file in (*map(_find_upwards, defaults), path):
        if file is not None and os.path.isfile(file):
            with open(file, encoding="utf-8-sig") as lines:
                values.update(_env_values(lines.read()))
    for name, value in values.items():
        if value is not None:
            os.environ.setdefault(name, value)
    return bool(values)


class ScriptInfo:
    """What one run of the command line knows: the app and how to load it."""

    _locate: Any = None     # Knot: section 29 finds an app by its name.
    prefix = ""             # of the variables that set options: "FLASK"

    def __init__(self, app_import_path: str | None = None,
                 create_app: Callable[..., Any] | None = None,
                 set_debug_flag: bool = True,
                 load_dotenv_defaults: bool = True) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self.data: dict[Any, Any] = {}
        self._app: Any = None

    def load_app(self) -> Any:
        """Return the app, which is made at the first call."""
        if self._app is None:
            app = (self.create_app() if self.create_app is not None
                   else self._locate(self.app_import_path))
            if self.set_debug_flag:
                app.debug = get_debug_flag()
            self._app = app
        return self._app


def with_appcontext(f: Any) -> Any:
    """Mark a function: as a command, it runs inside the app's context."""
    f._wants_context = True
    return f


def pass_script_info(f: Any) -> Any:
    """Mark a function: as a command, it is given the ScriptInfo first."""
    f._wants_info = True
    return f


_FLAGS = {**dict.fromkeys("1 true t yes y on".split(), True),
          **dict.fromkeys("0 false f no n off".split(), False)}
# A type -> what reads a text, and what the text should be.
_KINDS: dict[Any, tuple[Any, str]] = {
    bool:     (lambda text: _FLAGS[text.lower()], "yes or no"),
    int:      (int, "a whole number"),
    float:    (float, "a number"),
    date:     (date.fromisoformat, "a date such as 2026-12-31"),
    datetime: (datetime.fromisoformat, "a time such as 2026-12-31T23:59"),
}
# What a docstring says of a parameter: ":param name: its meaning".
_PARAM_RE = _Regex(r"(?m)^[ \t]*:param (\w+): *(.*)\n?")


def _reader(source: str, kind: Any, choices: Any) -> Any:
    """Return a function that reads a text from a source as a kind."""
    convert, meaning = _KINDS.get(kind, (kind, f"a valid {kind.__name__}"))
    if choices:
        meaning = f"one of {', '.join(map(repr, choices))}"

    def read(text):
        with contextlib.suppress(LookupError, ValueError, TypeError):
            value = convert(text)
            if not choices or value in choices:
                return value
        raise UsageError(f"{source}: {text!r} is not {meaning}.")
    return read


def _shape(hint: Any) -> tuple[Any, Any, bool]:
    """Return what an annotation means: (type, choices or None, is a list)."""
    inner = [kind for kind in get_args(hint) if kind is not type(None)]
    origin = get_origin(hint) or hint
    if origin in (list, tuple, set):
        return *_shape(inner[0] if inner else str)[:2], True
    if origin is Literal:
        return type(inner[0]), inner, False
    if inner:       # A union: the first that is not None.
        return _shape(inner[0])
    return hint if isinstance(hint, type) else str, None, False


def _hint(f: Any, parameter: Any) -> Any:
    """Return a parameter's annotation, or else the type of its default."""
    hint = parameter.annotation
    if isinstance(hint, str):
        # Python 3.9 can't evaluate "int | None".
        names = getattr(f, "__wrapped__", f).__globals__
        with contextlib.suppress(NameError, TypeError):
            return eval(re.sub(r"\|\s*None\b", "", hint), names)
    if hint is not parameter.empty:
        return hint
    return str if parameter.default in (hint, None) else type(
        parameter.default)


class Command:
    """A function that the command line calls.

    `short` holds letters: "hp" makes -h and -p of the options that begin so.
    `callback` is the function itself, for a test or another function.
    """

    _settings: Mapping[str, Any] = {}   # of the ScriptInfo

    def __init__(self, name: str | None = None,
                 callback: Callable[..., Any] | None = None,
                 help: str | None = None, *, short: str = "",
                 with_appcontext: bool = False) -> None:
        self.name = name
        self.callback: Any = callback or (lambda: None)
        self.help = help or getattr(callback, "__doc__", None) or ""
        self.short = short
        self.with_appcontext = with_appcontext or hasattr(
            callback, "_wants_context")

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.main(*args, **kwargs)

    def main(self, args: Any = None, prog_name: str | None = None,
             obj: ScriptInfo | None = None) -> NoReturn:
        """Run with these arguments, or the program's, and exit."""
        name = prog_name or os.path.basename(sys.argv[0])
        try:
            self._run(list(sys.argv[1:] if args is None else args), [name],
                      obj or ScriptInfo(**self._settings))
        except UsageError as error:
            print(f"Error: {error}", file=sys.stderr)
            sys.exit(2)
        except (KeyboardInterrupt, EOFError):
            print("\nAborted!", file=sys.stderr)
            sys.exit(1)
        except BrokenPipeError:     # `... | head` has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)
        sys.exit(0)

    def _signature(self):
        """Return the function's signature, without the ScriptInfo."""
        import inspect      # for the command line only
        signature = inspect.signature(self.callback)
        shown = [parameter for parameter in signature.parameters.values()
                 if parameter.kind is not parameter.VAR_KEYWORD]
        return signature.replace(
            parameters=shown[hasattr(self.callback, "_wants_info"):])

    def _call(self, values, info):
        """Call the function with the values that were read."""
        bound = self._signature().bind_partial()
        bound.arguments.update(values)
        bound.apply_defaults()
        first = [info] if hasattr(self.callback, "_wants_info") else []
        with contextlib.ExitStack() as stack:
            if self.with_appcontext and not current_app:
                stack.enter_context(info.load_app().app_context())
            f = self.callback
            if current_app:
                f = current_app.ensure_sync(f)
            f(*first, *bound.args, **bound.kwargs)

    def _run(self, args, path, info):
        """Read the arguments and call the function."""
        parser = self._parser(path)
        parser.add_argument("--help", action="help", help="Show this page.")
        from argparse import ArgumentError  # for the command line only
        try:
            found = self._add_parameters(parser, path, info)
        except ArgumentError as error:
            raise UsageError(f"The parameters of {parser.prog!r} need other"
                             f" names: {error}.") from None
        # Options may stand among arguments; but "--" ends them for good.
        read = (parser.parse_args if "--" in args
                else parser.parse_intermixed_args)
        self._call({**found, **vars(read(args))}, info)

    def _parser(self, path):
        """Return a parser for "program command" that raises UsageError."""
        import argparse     # for the command line only
        from inspect import cleandoc
        parser: Any = argparse.ArgumentParser(
            " ".join(path), add_help=False, allow_abbrev=False,
            description=_PARAM_RE.sub("", cleandoc(self.help)).strip(),
            argument_default=argparse.SUPPRESS,
            formatter_class=argparse.RawDescriptionHelpFormatter)

        def fail(message):
            end = "" if message.endswith((".", "?")) else "."
            if re.search("unrecognized.*--(app|env-file)", message):
                end = "; these options stand before the command."
            raise UsageError(f"{message[:1].upper()}{message[1:]}{end}"
                             f"\nTry '{parser.prog} --help'.")
        parser.error = fail
        return parser

    def _add_parameters(self, parser, path, info):
        """Add the function's parameters; return what variables say of them."""
        about, found = dict(_PARAM_RE.findall(self.help)), {}
        for name, parameter in self._signature().parameters.items():
            kind, choices, many = _shape(_hint(self.callback, parameter))
            help = about.get(name, "").replace("%", "%%")
            if choices:
                help += f" One of: {', '.join(map(str, choices))}."
            needed = parameter.default is parameter.empty
            if needed and parameter.kind is not parameter.KEYWORD_ONLY:
                rest = parameter.kind is parameter.VAR_POSITIONAL
                parser.add_argument(
                    name, nargs="*" if rest else "+" if many else None,
                    type=_reader(name, kind, choices), help=help)
                continue
            variable = "_".join([info.prefix, *path[1:], name])
            variable = variable.upper().replace("-", "_")
            text = os.environ.get(variable) if info.prefix else None
            if text:
                read = _reader(variable, kind, choices)
                found[name] = (list(map(read, text.split())) if many
                               else read(text))
            word = "--" + name.replace("_", "-")
            options = {"dest": name, "help": help,
                       "required": needed and not text}
            if kind is bool and not many:
                self._add_flag(parser, word, **options)
            else:
                parser.add_argument(
                    *self._letter(word), word, **options,
                    type=_reader(word, kind, choices),
                    action="append" if many else "store")
        return found

    def _add_flag(self, parser, word, **options):
        """Add --word and --no-word, which are one parameter."""
        from argparse import Action     # for the command line only
        opposite = f"--no-{word[2:]}".replace("--no-with-", "--without-")

        class Flag(Action):
            def __call__(self, parser, namespace, values, option=None):
                setattr(namespace, self.dest, option != opposite)
        parser.add_argument(*self._letter(word), word, opposite, action=Flag,
                            nargs=0, **options)

    def _letter(self, word):
        return [word[1:3]] if word[2] in self.short else []


class AppGroup(Command):
    """A group of commands, which run inside the app's context."""

    def __init__(self, name: str | None = None,
                 callback: Callable[..., Any] | None = None,
                 help: str | None = None, **options: Any) -> None:
        super().__init__(name, callback, help, **options)
        self.commands: dict[str, Command] = {}

    def add_command(self, cmd: Command, name: str | None = None) -> None:
        """Add a command, under its own name or another."""
        if not isinstance(cmd, Command):
            raise TypeError(f"{cmd!r} is no command of this file; it makes one"
                            " of a function by @app.cli.command().")
        self.commands[name or cmd.name or ""] = cmd

    def get_command(self, info: ScriptInfo, name: str) -> Command | None:
        """Return the command of that name, or None."""
        return self.commands.get(name)

    def list_commands(self, info: ScriptInfo) -> list[str]:
        """Return the names of the commands, sorted."""
        return sorted(self.commands)

    def command(self, name: Any = None, *, cls: Any = Command,
                with_appcontext: bool = True, **options: Any) -> Any:
        """Make a command of the decorated function; init_db is init-db."""
        def decorator(f: Any) -> Any:
            if hasattr(f, "__click_params__"):
                raise TypeError(f"{f!r}: leave click's decorators out; the"
                                " function's parameters are the command's.")
            # As click: init_db_command is init-db, too.
            plain = re.sub("[_-](command|cmd|group|grp)\\Z", "", f.__name__)
            given = None if f is name else name
            made = cls(given or plain.lower().replace("_", "-"), f,
                       with_appcontext=with_appcontext, **options)
            self.add_command(made)
            return made
        return decorator(name) if callable(name) else decorator

    def group(self, name: Any = None, **options: Any) -> Any:
        """Make a group of the decorated function, which runs first."""
        return self.command(name, **{"cls": AppGroup, **options})

    def _begin(self, values, info):
        """Do what the group's own options say."""

    def _run(self, args, path, info):
        """Read the group's own options, then run one of its commands."""
        from argparse import REMAINDER, SUPPRESS    # for the command line
        parser = self._parser(path)
        values = self._add_parameters(parser, path, info)
        parser.usage = f"{parser.prog} [OPTIONS] COMMAND [ARGS]..."
        parser.add_argument("--help", action="store_true", dest="--help",
                            help="Show this page.")
        parser.add_argument("rest", nargs=REMAINDER, help=SUPPRESS)
        values.update(vars(parser.parse_args(args)))
        rest, asked = values.pop("rest"), values.pop("--help", False)
        self._begin(values, info)
        if asked or not rest:
            print(parser.format_help() + self._listing(info),
                  file=sys.stdout if asked else sys.stderr)
            sys.exit(0 if asked else 2)
        command: Any = self.get_command(info, rest[0])
        if command is None:
            import difflib      # for this sentence only
            near = difflib.get_close_matches(
                rest[0], self.list_commands(info), 1)
            parser.error(f"no such command {rest[0]!r}" + "".join(
                f". Did you mean {name!r}?" for name in near))
        self._call(values, info)
        command._run(rest[1:], [*path, rest[0]], info)

    def _listing(self, info):
        """Return the commands with the first sentence of their help."""
        lines, names = ["\ncommands:"], self.list_commands(info)
        for name in names:
            command: Any = self.get_command(info, name)
            words = " ".join(command.help.partition("\n\n")[0].split())
            sentence = re.split(r"(?<=[.:]) ", words)[0]
            lines.append(f"  {name:{max(map(len, names))}}  {sentence}")
        return "\n".join(lines)


class Result:
    """How a command that a test has run ended; output is all it printed."""

    def __init__(self, stdout: str, stderr: str, exit_code: int,
                 exc_info: Any) -> None:
        self.stdout, self.stderr = stdout, stderr
        self.output = stdout + stderr
        self.exit_code, self.exc_info = exit_code, exc_info
        self.exception = exc_info and exc_info[1]

    def __repr__(self):
        what = repr(self.exception) if self.exception else "okay"
        return f"<{type(self).__name__} {what}>"


class FlaskCliRunner:
    """Runs commands in a test: app.test_cli_runner().invoke(args=["x"])."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def invoke(self, cli: Any = None, args: Any = None, *,
               input: str | None = None, env: Mapping | None = None,
               catch_exceptions: bool = True, obj: Any = None) -> Result:
        """Run a command with a list of arguments, or a text of them.

        It reads `input`; `env` adds to the environment variables, which are
        afterwards as they were before.
        """
        if isinstance(args, str):
            import shlex    # for the command line only
            args = shlex.split(args)
        cli = self.app.cli if cli is None else cli
        obj = obj or ScriptInfo(create_app=lambda: self.app)
        out, err = io.StringIO(), io.StringIO()
        code: Any = 0
        exc_info: Any = None
        stdin, environ = sys.stdin, dict(os.environ)
        sys.stdin = io.StringIO(input or "")
        os.environ.update(env or {})
        try:
            with contextlib.redirect_stdout(out), \
                    contextlib.redirect_stderr(err):
                cli.main(args=args or (), prog_name=cli.name, obj=obj)
        except SystemExit as ending:
            code = ending.code or 0
            if not isinstance(code, int):   # sys.exit("a last word")
                err.write(f"{code}\n")
                code = 1
            exc_info = sys.exc_info() if code else None
        except Exception:
            if not catch_exceptions:
                raise
            code, exc_info = 1, sys.exc_info()
        finally:
            sys.stdin = stdin
            os.environ.clear()
            os.environ.update(environ)
        return Result(out.getvalue(), err.getvalue(), code, exc_info)


# =============================================================================
# 26. What an app and a blueprint share
# =============================================================================
#
# Both are lists of registrations: routes, functions to run before and after
# requests, error handlers, a folder of static files.  Each list is a dict from
# the name of a blueprint (None: the app or the blueprint itself) to functions.
#
# Registrations are refused once the first request was answered: a worker that
# registers late would answer differently from the others.

_View = Callable[..., Any]
_Decorator = Callable[[_View], _View]


def _setup_method(f: _View) -> _View:
    """Refuse a registering method once it comes too late."""
    @functools.wraps(f)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_setup_finished(f.__name__)
        return f(self, *args, **kwargs)
    return checked


def _hook(name: str, table: str, does: str) -> Callable[[Any, _View], _View]:
    """Return a decorator method that appends to one of the tables."""
    def register(self: Any, f: _View) -> _View:
        self._check_setup_finished(name)
        getattr(self, table).setdefault(None, []).append(f)
        return f
    register.__doc__, register.__qualname__ = does, name
    return register


def _shortcut(method: str) -> Callable[..., _Decorator]:
    """Return a method like `route` for one HTTP method."""
    def register(self: Any, rule: str, **options: Any) -> _Decorator:
        if "methods" in options:
            raise TypeError("Use the 'route' decorator to use the 'methods'"
                            " argument.")
        return self.route(rule, methods=[method], **options)
    register.__doc__ = f"Register a view for {method} requests; see route."
    return register


def _named_registrar(method: str, does: str) -> Callable[..., Any]:
    """Return a decorator, with or without a name, that calls a method."""
    def register(self: Any, name: Any = None) -> Any:
        def decorator(f: _View) -> _View:
            getattr(self, method)(f, None if f is name else name)
            return f
        return decorator(name) if callable(name) else decorator
    register.__doc__ = does
    return register


def _find_root_path(import_name: str) -> str:
    """Return the folder of a module or package; the current one if unknown."""
    module = sys.modules.get(import_name)
    file = getattr(module, "__file__", None)
    if file is None and import_name != "__main__":
        # Only for a module that was not imported yet.
        import importlib.util
        try:
            spec = importlib.util.find_spec(import_name)
        except (ImportError, ValueError):
            spec = None
        file = None if spec is None else spec.origin
        if spec is not None and spec.submodule_search_locations:
            return os.path.abspath(list(spec.submodule_search_locations)[0])
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()


_lists: Any = functools.partial(collections.defaultdict, list)


class Scaffold:
    """What can be registered on an app and on a blueprint alike."""

    name: str
    _static_folder: str | None = None
    _static_url_path: str | None = None

    def __init__(self, import_name: str, static_folder: Any = None,
                 static_url_path: str | None = None,
                 template_folder: Any = None,
                 root_path: str | None = None) -> None:
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        self.template_folder = template_folder
        self.root_path = root_path or _find_root_path(import_name)
        self.view_functions: dict[str, Callable[..., Any]] = {}
        # Extensions append to [None] without asking if it is there.
        self.error_handler_spec: dict[Any, dict] = collections.defaultdict(
            lambda: collections.defaultdict(dict))
        self.cli = AppGroup()
        self.before_request_funcs: dict[Any, list] = _lists()
        self.after_request_funcs: dict[Any, list] = _lists()
        self.teardown_request_funcs: dict[Any, list] = _lists()
        self.template_context_processors: dict[Any, list] = _lists()
        self.url_value_preprocessors: dict[Any, list] = _lists()
        self.url_default_functions: dict[Any, list] = _lists()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _check_setup_finished(self, what: str) -> None:
        raise NotImplementedError

    # -- templates, static files and resources

    @_lasting_property
    def jinja_loader(self) -> Any:
        """Return the loader of the folder of templates, or None."""
        if self.template_folder is None:
            return None
        return FileSystemLoader(
            os.path.join(self.root_path, self.template_folder))

    @property
    def static_folder(self) -> str | None:
        """Return the full path of the folder of static files, or None."""
        if self._static_folder is None:
            return None
        return os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: Any) -> None:
        if value is not None:
            value = os.fspath(value).rstrip("/\\")
        self._static_folder = value

    @property
    def has_static_folder(self) -> bool:
        """Return True if static files are served."""
        return self._static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """Return the URL prefix of static files: "/" and the folder's name."""
        if self._static_url_path is not None:
            return self._static_url_path
        if self._static_folder is None:
            return None
        return f"/{os.path.basename(self._static_folder)}".rstrip("/")

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = value if value is None else value.rstrip("/")

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Return the seconds a file may be cached; None: ask each time."""
        age = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return int(age.total_seconds()) if isinstance(age, timedelta) else age

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file of the static folder."""
        if self.static_folder is None:
            raise RuntimeError("'static_folder' must be set to serve"
                               f" static files of {self!r}.")
        age = self.get_send_file_max_age(filename)
        return send_from_directory(self.static_folder, filename, max_age=age)

    def open_resource(self, resource: str, mode: str = "rb",
                      encoding: str | None = None) -> Any:
        """Open a file below the root path for reading."""
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"Resources can only be opened for reading,"
                             f" not with mode {mode!r}.")
        if mode != "rb":
            encoding = encoding or "utf-8"
        return open(os.path.join(self.root_path, resource), mode,
                    encoding=encoding)

    # -- routes

    get = _shortcut("GET")
    post = _shortcut("POST")
    put = _shortcut("PUT")
    delete = _shortcut("DELETE")
    patch = _shortcut("PATCH")

    def route(self, rule: str, **options: Any) -> _Decorator:
        """Register the decorated function as the view of a URL rule.

        Options: methods, endpoint, defaults, subdomain, host, strict_slashes,
        and the others of Rule.
        """
        if callable(rule):
            raise TypeError("route() needs a path: @app.route('/path').")

        def decorator(f: _View) -> _View:
            endpoint = options.pop("endpoint", None)
            self.add_url_rule(rule, endpoint, f, **options)
            return f
        return decorator

    def add_url_rule(self, rule: str, endpoint: str | None = None,
                     view_func: _View | None = None,
                     provide_automatic_options: bool | None = None,
                     **options: Any) -> None:
        """Register a URL rule; what `route` does, without the decorator."""
        raise NotImplementedError

    @_setup_method
    def endpoint(self, endpoint: str) -> _Decorator:
        """Register the decorated function as the view of an endpoint."""
        def decorator(f: _View) -> _View:
            self.view_functions[endpoint] = f
            return f
        return decorator

    # -- functions to run for each request

    before_request = _hook(
        "before_request", "before_request_funcs",
        "Run a function before each request; what it returns is the answer.")
    after_request = _hook(
        "after_request", "after_request_funcs",
        "Run a function with each response; it returns the response.")
    teardown_request = _hook(
        "teardown_request", "teardown_request_funcs",
        "Run a function when a request ends, with its exception or None.")
    context_processor = _hook(
        "context_processor", "template_context_processors",
        "Add the dict that a function returns to each template's names.")
    url_value_preprocessor = _hook(
        "url_value_preprocessor", "url_value_preprocessors",
        "Run a function with endpoint and values of each matched URL.")
    url_defaults = _hook(
        "url_defaults", "url_default_functions",
        "Run a function with endpoint and values of each URL to build.")

    # -- error handlers

    def errorhandler(self, code_or_exception: Any) -> _Decorator:
        """Register the decorated function for a status code or exception."""
        def decorator(f: _View) -> _View:
            self.register_error_handler(code_or_exception, f)
            return f
        return decorator

    @_setup_method
    def register_error_handler(self, code_or_exception: Any, f: _View) -> None:
        """Register a function for a status code or an exception class."""
        kind, code = self._error_kind(code_or_exception)
        handlers = self.error_handler_spec.setdefault(None, {})
        handlers.setdefault(code, {})[kind] = f

    @staticmethod
    def _error_kind(code_or_exception: Any) -> tuple[type, int | None]:
        """Return (class, code): 404 -> (NotFound, 404)."""
        kind = code_or_exception
        if isinstance(kind, int):
            if kind not in default_exceptions:
                raise ValueError(
                    f"{kind!r} is not a recognized HTTP error code. Use a"
                    " subclass of HTTPException with that code instead.")
            kind = default_exceptions[kind]
        if isinstance(kind, Exception):
            raise TypeError(f"{kind!r} is an instance, not a class. Handlers"
                            " can only be registered for classes or codes.")
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise ValueError(f"{kind!r} is not an Exception subclass or an"
                             " HTTP error code.")
        return kind, kind.code if issubclass(kind, HTTPException) else None


# =============================================================================
# 27. Blueprints
# =============================================================================
#
# A blueprint is a recording: registrations are kept as functions of the app to
# come and replayed when it is registered, with the prefix and the name given
# there.  Its hooks hear only of requests to its own views; hooks named "app"
# are passed on to the app.  Blueprints nest: names are joined by dots, URL
# prefixes by slashes, and the hooks of the outer ones run for the inner ones.


def _view_name(view_func: _View | None, rule: str) -> str:
    """Return the endpoint of a view that was given none: its name."""
    if view_func is None:
        raise AssertionError(f"The rule {rule!r} has no view function: pass"
                             " 'view_func' or 'endpoint'.")
    return view_func.__name__


def _option(blueprint, options, name):
    """Return an option of a registration, or else the blueprint's own."""
    value = options.get(name)
    return getattr(blueprint, name) if value is None else value


def _below(prefix, path):
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}"


class BlueprintSetupState:
    """One registration of a blueprint: what its recorded functions get."""

    def __init__(self, blueprint: Blueprint, app: Any, options: dict,
                 first_registration: bool) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        self.subdomain = _option(blueprint, options, "subdomain")
        self.url_prefix = _option(blueprint, options, "url_prefix")
        self.name = options.get("name", blueprint.name)
        self.name_prefix = options.get("name_prefix", "")
        self.url_defaults = {**blueprint.url_values_defaults,
                             **(options.get("url_defaults") or {})}

    def add_url_rule(self, rule: str, endpoint: str | None = None,
                     view_func: _View | None = None, **options: Any) -> None:
        """Register a rule on the app, with the prefix and the name."""
        if self.url_prefix is not None:
            rule = _below(self.url_prefix, rule) if rule else self.url_prefix
        options.setdefault("subdomain", self.subdomain)
        if endpoint is None:
            endpoint = _view_name(view_func, rule)
        defaults = {**self.url_defaults,
                    **(options.pop("defaults", None) or {})}
        self.app.add_url_rule(
            rule, f"{self.name_prefix}.{self.name}.{endpoint}".lstrip("."),
            view_func, defaults=defaults, **options)


def _app_hook(name: str) -> Callable[[Any, _View], _View]:
    """Return a decorator method that passes a function on to the app."""
    def register(self: Any, f: _View) -> _View:
        self.record_once(lambda state: getattr(state.app, name)(f))
        return f
    register.__doc__ = f"Register a function as {name} of the whole app does."
    return register


def _app_registrar(name: str) -> Callable[..., None]:
    """Return a method that passes a function and its name on to the app."""
    def register(self: Any, f: _View, name: str | None = None) -> None:
        self.record_once(lambda state: getattr(state.app, method)(f, name))
    method = f"add_template_{name}"
    register.__doc__ = f"Add a template {name} of the whole app."
    return register


class Blueprint(Scaffold):
    """A part of an app: views, hooks and files, registered as a whole.

    The endpoints of its views are "name.view"; `url_for(".view")` is short
    for that inside the blueprint.
    """

    def __init__(self, name: str, import_name: str, static_folder: Any = None,
                 static_url_path: str | None = None,
                 template_folder: Any = None,
                 url_prefix: str | None = None, subdomain: str | None = None,
                 url_defaults: dict | None = None,
                 root_path: str | None = None,
                 cli_group: Any = _missing) -> None:
        super().__init__(import_name, static_folder, static_url_path,
                         template_folder, root_path)
        if not name or "." in name:
            raise ValueError(f"'name' {name!r} may not be empty or contain a"
                             " dot '.' character.")
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.url_values_defaults = url_defaults or {}
        self.cli_group = cli_group
        self.deferred_functions: list[Callable[..., Any]] = []
        self._blueprints: list[tuple[Blueprint, dict]] = []
        self._got_registered_once = False

    def _check_setup_finished(self, what: str) -> None:
        if self._got_registered_once:
            raise AssertionError(
                f"The setup method {what!r} can no longer be called on the"
                f" blueprint {self.name!r}: it has been registered already."
                " Call it before 'register_blueprint'.")

    @_setup_method
    def record(self, f: Callable[..., Any]) -> None:
        """Call f with the BlueprintSetupState at each registration."""
        self.deferred_functions.append(f)

    @_setup_method
    def record_once(self, f: Callable[..., Any]) -> None:
        """Call f with the BlueprintSetupState at the first registration."""
        def once(state: BlueprintSetupState) -> None:
            if state.first_registration:
                f(state)
        self.record(once)

    @_setup_method
    def add_url_rule(self, rule: str, endpoint: str | None = None,
                     view_func: _View | None = None,
                     provide_automatic_options: bool | None = None,
                     **options: Any) -> None:
        """Record a URL rule, relative to the blueprint's prefix."""
        for text in (endpoint, getattr(view_func, "__name__", None)):
            if text and "." in text:
                raise ValueError(f"The endpoint {text!r} of a blueprint may"
                                 " not contain a dot '.' character.")
        self.record(lambda state: state.add_url_rule(
            rule, endpoint, view_func,
            provide_automatic_options=provide_automatic_options, **options))

    @_setup_method
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register a blueprint inside this one."""
        if blueprint is self:
            raise ValueError(f"Cannot register {self!r} on itself.")
        self._blueprints.append((blueprint, options))

    add_app_template_filter = _app_registrar("filter")
    add_app_template_test = _app_registrar("test")
    add_app_template_global = _app_registrar("global")
    app_template_filter = _named_registrar(
        "add_app_template_filter", "Add a function to the app's filters.")
    app_template_test = _named_registrar(
        "add_app_template_test", "Add a function to the app's tests.")
    app_template_global = _named_registrar(
        "add_app_template_global", "Add a function to each page's names.")
    before_app_request = _app_hook("before_request")
    after_app_request = _app_hook("after_request")
    teardown_app_request = _app_hook("teardown_request")
    app_context_processor = _app_hook("context_processor")
    app_url_value_preprocessor = _app_hook("url_value_preprocessor")
    app_url_defaults = _app_hook("url_defaults")

    @_setup_method
    def app_errorhandler(self, code_or_exception: Any) -> _Decorator:
        """Register the decorated function as an error handler of the app."""
        def decorator(f: _View) -> _View:
            self.record_once(lambda state: state.app.register_error_handler(
                code_or_exception, f))
            return f
        return decorator

    def make_setup_state(self, app: Any, options: dict,
                         first_registration: bool = False) -> Any:
        """Return the object that recorded functions are called with."""
        return BlueprintSetupState(self, app, options, first_registration)

    def register(self, app: Any, options: dict) -> None:
        """Replay the recording on an app; called by register_blueprint."""
        first = all(other is not self for other in app.blueprints.values())
        state = self.make_setup_state(app, options, first)
        name = f"{state.name_prefix}.{state.name}".lstrip(".")
        if name in app.blueprints:
            whose = "this" if app.blueprints[name] is self else "a different"
            raise ValueError(
                f"The name {state.name!r} is already registered for {whose}"
                f" blueprint {name!r}. Use 'name=' to provide a unique name.")
        app.blueprints[name] = self
        self._got_registered_once = True
        if self.has_static_folder:
            state.add_url_rule(f"{self.static_url_path}/<path:filename>",
                               "static", self.send_static_file)
        self._merge_into(app, name)
        for deferred in self.deferred_functions:
            deferred(state)
        if self.cli.commands:
            group = options.get("cli_group", self.cli_group)
            if group is None:
                app.cli.commands.update(self.cli.commands)
            else:
                self.cli.name = name if group is _missing else group
                app.cli.add_command(self.cli)
        for blueprint, inner in self._blueprints:
            blueprint.register(
                app, self._nested(state, blueprint, inner, name))

    def _merge_into(self, app, name):
        """Enter the hooks and handlers under the blueprint's name."""
        app.view_functions.update(self.view_functions)
        for key, handlers in self.error_handler_spec.items():
            key = name if key is None else f"{name}.{key}"
            app.error_handler_spec[key] = {
                code: dict(kinds) for code, kinds in handlers.items()}
        for table in ("before_request_funcs", "after_request_funcs",
                      "teardown_request_funcs", "template_context_processors",
                      "url_default_functions", "url_value_preprocessors"):
            for key, functions in getattr(self, table).items():
                key = name if key is None else f"{name}.{key}"
                getattr(app, table).setdefault(key, []).extend(functions)

    @staticmethod
    def _nested(state, blueprint, options, name):
        """Return the options of an inner blueprint, joined to the outer's."""
        subdomain = _option(blueprint, options, "subdomain")
        if subdomain is None:
            subdomain = state.subdomain
        elif state.subdomain is not None:
            subdomain = f"{subdomain}.{state.subdomain}"
        prefix = _option(blueprint, options, "url_prefix")
        if prefix is None:
            prefix = state.url_prefix
        elif state.url_prefix is not None:
            prefix = _below(state.url_prefix, prefix)
        return {**options, "name_prefix": name,
                "subdomain": subdomain, "url_prefix": prefix}


# =============================================================================
# 28. The application
# =============================================================================
#
# All of the above meets here.  The class has three parts: setting up (rules,
# hooks, blueprints, configuration), answering (from `wsgi_app` down to the
# view and back up through `finalize_request`), and what to do with errors.
#
# Answering is a chain of short methods, each of which a subclass may replace.
# An exception leaves the chain at `handle_user_exception`, which looks for a
# handler; what nobody handles becomes a 500 in `handle_exception`.  A request
# makes no reference cycle, so its memory goes when its answer has gone.


def _lifetime(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _errors_stream():
    stream = request.environ.get("wsgi.errors") if request else None
    return stream or sys.stderr


# Where log lines go: the current request's wsgi.errors, or stderr.
wsgi_errors_stream: Any = LocalProxy(_errors_stream)


@functools.cache
def _default_handler() -> Any:
    # Imported when the first line is logged.
    import logging
    handler = logging.StreamHandler(wsgi_errors_stream)
    handler.setFormatter(logging.Formatter(
        "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))
    return handler


def has_level_handler(logger: Any) -> bool:
    """Return True if a handler would take what the logger lets through."""
    level = logger.getEffectiveLevel()
    while logger:
        if any(handler.level <= level for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


_ANCHOR_SAFE = "%!#$&'()*+,/:;=?@"
_ANSWERS = ("Return a str, bytes, dict, list, iterator, Response or WSGI"
            " callable, or a tuple of one of these and a status or headers.")


def _unpack(rv: Any) -> tuple[Any, Any, Any]:
    """Return (body, status, headers) of what a view returned."""
    if not isinstance(rv, tuple):
        body, status, headers = rv, None, None
    elif len(rv) == 3:
        body, status, headers = rv
    elif len(rv) == 2:
        body, second = rv
        is_head = isinstance(second, (Headers, dict, tuple, list))
        status, headers = (None, second) if is_head else (second, None)
    else:
        raise TypeError(
            "The view function did not return a valid response tuple. The"
            " tuple must have the form (body, status, headers), (body,"
            f" status), or (body, headers), but it has {len(rv)} items.")
    if body is None:
        raise TypeError(
            f"The view function for {request.endpoint!r} did not return a"
            " valid response. The function either returned None or ended"
            f" without a return statement. {_ANSWERS}")
    return body, status, headers


def _template_registrar(kind: str) -> Callable[..., None]:
    """Return a method that adds to one of the template engine's dicts."""
    def add(self: Any, f: _View, name: str | None = None) -> None:
        self._check_setup_finished(f"add_template_{kind}")
        getattr(self.jinja_env, f"{kind}s")[name or f.__name__] = f
    add.__doc__ = f"Add a function as a {kind} of templates."
    return add


class DispatchingJinjaLoader:
    """Looks for a template in the app's folder, then in its blueprints'."""

    def __init__(self, app: Flask) -> None:
        self._app = weakref.ref(app)    # Which holds this loader.

    def get_source(self, environment: Any, template: str) -> Any:
        """Return what the first loader has that knows the template."""
        app: Any = self._app()
        explains, found = app.config["EXPLAIN_TEMPLATE_LOADING"], None
        for owner in (app, *app.iter_blueprints()):
            loader = owner.jinja_loader
            if loader is None:
                continue
            with contextlib.suppress(TemplateNotFound):
                found = loader.get_source(environment, template)
            if explains:
                app.logger.info(
                    "Template %r is %s %r, which looks in %s", template,
                    "found by" if found else "not known to", owner,
                    getattr(loader, "searchpath", loader))
            if found:
                return found
        raise TemplateNotFound(template, places=app._template_folders())


class Flask(Scaffold):
    """A web application: a registry of views and a WSGI callable.

    `import_name` is usually __name__; it tells where static files lie.
    """

    # May be set by subclasses.
    request_class: Any = Request
    response_class: Any = Response
    aborter_class: Any = Aborter
    app_ctx_globals_class: Any = _AppCtxGlobals
    config_class: Any = Config
    json_provider_class: Any = DefaultJSONProvider
    session_interface: Any = SecureCookieSessionInterface()
    test_client_class: Any = FlaskClient
    test_cli_runner_class: Any = FlaskCliRunner
    url_map_class: Any = Map
    url_rule_class: Any = Rule
    jinja_environment: Any = Environment
    jinja_options: Mapping[str, Any] = {}
    default_config: Mapping[str, Any] = ImmutableDict({
        "APPLICATION_ROOT": "/",
        "MAX_COOKIE_SIZE": 4093,
        "MAX_FORM_MEMORY_SIZE": 500_000,
        "MAX_FORM_PARTS": 1_000,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
        "PREFERRED_URL_SCHEME": "http",
        "PROVIDE_AUTOMATIC_OPTIONS": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_NAME": "session",
        "SESSION_REFRESH_EACH_REQUEST": True,
        **dict.fromkeys(
            """EXPLAIN_TEMPLATE_LOADING SESSION_COOKIE_PARTITIONED
            SESSION_COOKIE_SECURE TESTING TRAP_HTTP_EXCEPTIONS
            USE_X_SENDFILE""".split(), False),
        **dict.fromkeys(
            """DEBUG MAX_CONTENT_LENGTH PROPAGATE_EXCEPTIONS SECRET_KEY
            SECRET_KEY_FALLBACKS SEND_FILE_MAX_AGE_DEFAULT SERVER_NAME
            SESSION_COOKIE_DOMAIN SESSION_COOKIE_PATH SESSION_COOKIE_SAMESITE
            TEMPLATES_AUTO_RELOAD TEMPLATES_UNDEFINED TRAP_BAD_REQUEST_ERRORS
            TRUSTED_HOSTS""".split()),
    })

    # Shown by `app` but kept in its configuration.
    testing = ConfigAttribute("TESTING")
    secret_key = ConfigAttribute("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute(
        "PERMANENT_SESSION_LIFETIME", _lifetime)

    def __init__(self, import_name: str, static_url_path: str | None = None,
                 static_folder: Any = "static", static_host: str | None = None,
                 host_matching: bool = False, subdomain_matching: bool = False,
                 template_folder: Any = "templates",
                 instance_path: str | None = None,
                 instance_relative_config: bool = False,
                 root_path: str | None = None) -> None:
        super().__init__(import_name, static_folder, static_url_path,
                         template_folder, root_path)
        if instance_path is None:
            instance_path = self.auto_find_instance_path()
        elif not os.path.isabs(instance_path):
            raise ValueError(f"The instance path {instance_path!r} must be"
                             " absolute. A relative path was given instead.")
        self.instance_path = instance_path
        self.config = self.make_config(instance_relative_config)
        self.aborter = self.aborter_class()
        self.json = self.json_provider_class(self)
        self.url_map = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        self.blueprints: dict[str, Blueprint] = {}
        self.extensions: dict[str, Any] = {}
        self.cli.name = self.name
        self.teardown_appcontext_funcs: list = []
        self.shell_context_processors: list = []
        self.url_build_error_handlers: list = []
        self._got_first_request = False
        if bool(static_host) != host_matching and self.has_static_folder:
            raise AssertionError(
                "A host-matching app with static files needs a 'static_host',"
                " and any other must not have one.")
        if self.has_static_folder:
            # A method of self would make the app a cycle.
            self.add_url_rule(
                f"{self.static_url_path}/<path:filename>", "static",
                lambda filename: current_app.send_static_file(filename),
                host=static_host)

    # -- setting up

    def _check_setup_finished(self, what: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"The setup method {what!r} can no longer be called on the"
                " application. It has already handled its first request, any"
                " changes will not be applied consistently. Register all"
                " routes and functions while the program starts.")

    @property
    def debug(self) -> bool:
        """Return config["DEBUG"]; set it, and templates are read anew."""
        return self.config["DEBUG"]

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if "jinja_env" in vars(self):
            self.jinja_env.auto_reload = self._reloads_templates()

    def _reloads_templates(self) -> bool:
        reloads = self.config["TEMPLATES_AUTO_RELOAD"]
        return self.debug if reloads is None else reloads

    @_lasting_property
    def name(self) -> str:
        """Return the import name, or the script's for a main program."""
        if self.import_name == "__main__":
            file = getattr(sys.modules["__main__"], "__file__", None)
            if file is not None:
                return os.path.splitext(os.path.basename(file))[0]
        return self.import_name

    @_lasting_property
    def logger(self) -> Any:
        """Return the logger with the app's name, and with a handler."""
        # Imported when the first line is logged.
        import logging
        logger = logging.getLogger(self.name)
        if self.debug and not logger.level:
            logger.setLevel(logging.DEBUG)
        if not has_level_handler(logger):
            logger.addHandler(_default_handler())
        return logger

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the configuration that the app starts with."""
        root = self.instance_path if instance_relative else self.root_path
        return self.config_class(
            root, {**self.default_config, "DEBUG": get_debug_flag()})

    def auto_find_instance_path(self) -> str:
        """Return the folder for files of this installation of the app."""
        top = self.import_name.partition(".")[0]
        folder = _find_root_path(top)
        if hasattr(sys.modules.get(top), "__path__"):
            folder = os.path.dirname(folder)
        if folder.startswith(sys.prefix + os.sep):
            return os.path.join(sys.prefix, "var", f"{self.name}-instance")
        return os.path.join(folder, "instance")

    def open_instance_resource(self, resource: str, mode: str = "rb",
                               encoding: str | None = "utf-8") -> Any:
        """Open a file below the instance path, for writing too."""
        return open(os.path.join(self.instance_path, resource), mode,
                    encoding=None if "b" in mode else encoding)

    @_setup_method
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register a blueprint; options replace its url_prefix, name, ..."""
        blueprint.register(self, options)

    def iter_blueprints(self) -> Iterable[Blueprint]:
        """Return the registered blueprints, in the order of registration."""
        return self.blueprints.values()

    @_setup_method
    def add_url_rule(self, rule: str, endpoint: str | None = None,
                     view_func: _View | None = None,
                     provide_automatic_options: bool | None = None,
                     **options: Any) -> None:
        """Register a URL rule; what `route` does, without the decorator."""
        if endpoint is None:
            endpoint = _view_name(view_func, rule)
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError(f"Allowed methods must be a list of strings, for"
                            f" example ['POST'], not {methods!r}.")
        methods = {method.upper() for method in methods}
        required = set(getattr(view_func, "required_methods", ()))
        automatic = provide_automatic_options
        if automatic is None:
            automatic = getattr(view_func, "provide_automatic_options", None)
        if automatic is None:
            automatic = ("OPTIONS" not in methods
                         and self.config["PROVIDE_AUTOMATIC_OPTIONS"])
            if automatic:
                required.add("OPTIONS")
        known = self.view_functions.get(endpoint, view_func)
        if view_func is not None and view_func != known:
            raise AssertionError(
                "View function mapping is overwriting an existing endpoint"
                f" function: {endpoint}. Give the view another name, or pass"
                " 'endpoint'.")
        added = self.url_rule_class(
            rule, endpoint=endpoint, methods=methods | required, **options)
        added.provide_automatic_options = automatic
        self.url_map.add(added)
        if view_func is not None:
            self.view_functions[endpoint] = view_func

    @_setup_method
    def teardown_appcontext(self, f: _View) -> _View:
        """Run a function when a context ends, with its exception or None."""
        self.teardown_appcontext_funcs.append(f)
        return f

    @_setup_method
    def shell_context_processor(self, f: _View) -> _View:
        """Add the dict that a function returns to the names of the shell."""
        self.shell_context_processors.append(f)
        return f

    def make_shell_context(self) -> dict[str, Any]:
        """Return the names of an interactive shell."""
        names = {"app": self, "g": g}
        for f in self.shell_context_processors:
            names.update(f())
        return names

    def update_template_context(self, context: dict[str, Any]) -> None:
        """Add what the context processors give; names there already win."""
        given = dict(context)
        for f in self._hooks(self.template_context_processors):
            context.update(self.ensure_sync(f)())
        context.update(given)

    # -- templates

    @_lasting_property
    def jinja_env(self) -> Any:
        """Return the template engine, made when it is first asked for."""
        return self.create_jinja_environment()

    @_lasting_property
    def template_engine(self) -> Any:
        """Return what render_template asks; set it to use another engine.

        An object with get_template(name) and from_string(source), whose
        templates have render(context) and generate(context).
        """
        return self.jinja_env

    def create_jinja_environment(self) -> Any:
        """Return a new template engine with the names that each page has."""
        app = weakref.proxy(self)    # Which holds the engine.
        options: dict[str, Any] = {
            "autoescape": lambda name: app.select_jinja_autoescape(name),
            "auto_reload": self._reloads_templates(),
            "undefined": self.config["TEMPLATES_UNDEFINED"] or "strict",
            **self.jinja_options}
        environment = self.jinja_environment(
            self.create_global_jinja_loader(), **options)
        environment.globals.update(
            url_for=url_for, get_flashed_messages=get_flashed_messages,
            config=self.config, request=request, session=session, g=g)
        return environment

    def create_global_jinja_loader(self) -> Any:
        """Return the loader for all templates of the app."""
        return DispatchingJinjaLoader(self)

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Return True if a template of this name escapes its values."""
        return filename is None or filename.endswith(_ESCAPED)

    add_template_filter = _template_registrar("filter")
    add_template_test = _template_registrar("test")
    add_template_global = _template_registrar("global")
    template_filter = _named_registrar(
        "add_template_filter", "Add a function to the filters of templates.")
    template_test = _named_registrar(
        "add_template_test", "Add a function to the tests of templates.")
    template_global = _named_registrar(
        "add_template_global", "Add a function to the names of each page.")

    # -- contexts, clients, servers

    def app_context(self) -> AppContext:
        """Return a context without a request, for scripts and tests."""
        return AppContext(self)

    def request_context(self, environ: dict) -> AppContext:
        """Return the context of the request that an environ describes."""
        return AppContext(self, environ)

    def test_request_context(self, *args: Any, **kwargs: Any) -> AppContext:
        """Return the context of a made-up request; see EnvironBuilder."""
        builder = EnvironBuilder(self, *args, **kwargs)
        return self.request_context(builder.get_environ())

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> Any:
        """Return a client that sends requests to the app without a server."""
        return self.test_client_class(
            self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: Any) -> Any:
        """Return an object that runs the app's commands in a test."""
        return self.test_cli_runner_class(self, **kwargs)

    def run(self, host: str | None = None, port: int | None = None,
            debug: bool | None = None, **options: Any) -> None:
        """Serve the app on this machine until Ctrl-C; not for production.

        Host and port come from SERVER_NAME if that is set, otherwise they are
        127.0.0.1 and 5000.  Port 0 takes a free one.  In debug mode errors
        are shown in full, and a change of a file starts it anew.
        """
        if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
            print(" * Ignoring a call to 'app.run()', as the command line has"
                  " loaded the app. Let it stand under 'if __name__ =="
                  " \"__main__\":'.", file=sys.stderr)
            return
        if get_load_dotenv(options.pop("load_dotenv", True)):
            load_dotenv()
            if "FLASK_DEBUG" in os.environ:
                self.debug = get_debug_flag()
        if debug is not None:
            self.debug = bool(debug)
        name, _, number = (self.config["SERVER_NAME"] or "").partition(":")
        if port is None:
            port = _number(number) or 5000
        options = {"threaded": True, "use_reloader": self.debug,
                   "use_debugger": self.debug, **options}
        options["extra_files"] = [
            *(options.get("extra_files") or ()), *self._template_folders()]
        try:
            run_simple(host or name or "127.0.0.1", int(port), self, **options)
        finally:
            # So that an interactive session may go on registering.
            self._got_first_request = False

    def _template_folders(self):
        for each in (self, *self.blueprints.values()):
            yield from getattr(each.jinja_loader, "searchpath", ())

    # -- answering

    def __call__(self, environ: dict, start_response: Any) -> Iterable[bytes]:
        """Answer a request: the WSGI entry point (PEP 3333)."""
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: dict, start_response: Any) -> Iterable[bytes]:
        """Answer a request; middleware wraps this attribute, not the app."""
        ctx = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                ctx.push()
                response = self.full_dispatch_request()
            except Exception as failure:
                error = failure
                response = self.handle_exception(failure)
            except BaseException as failure:
                error = failure
                raise
            return response(environ, start_response)
        finally:
            if "microflask.preserve_context" in environ:
                environ["microflask.preserve_context"](ctx)
            try:
                ctx.pop(error)
            finally:
                # The error holds this frame, so this frame must not hold it.
                error = None

    def full_dispatch_request(self) -> Response:
        """Run hooks and view, answer errors, finish the response."""
        self._got_first_request = True
        try:
            if request_started.receivers:
                _announce(request_started, self)
            rv = self.preprocess_request()
            if rv is None:
                rv = self.dispatch_request()
        except Exception as error:
            rv = self.handle_user_exception(error)
        try:
            return self.finalize_request(rv)
        finally:
            # An error that is its own answer holds this frame.
            del rv

    def preprocess_request(self) -> Any:
        """Run the value preprocessors and the before_request functions."""
        if self.url_value_preprocessors:
            current = _cv_app.get()._request
            for f in self._hooks(self.url_value_preprocessors):
                f(current.endpoint, current.view_args)
        if self.before_request_funcs:
            for f in self._hooks(self.before_request_funcs):
                rv = self.ensure_sync(f)()
                if rv is not None:
                    return rv
        return None

    def dispatch_request(self) -> Any:
        """Call the view of the matched rule and return what it returns."""
        current = _cv_app.get()._request
        if current.routing_exception is not None:
            self.raise_routing_exception(current)
        rule = current.url_rule
        if (rule.provide_automatic_options
                and current.environ["REQUEST_METHOD"] == "OPTIONS"):
            return self.make_default_options_response()
        view = self.view_functions[rule.endpoint]
        return self.ensure_sync(view)(**current.view_args)

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise what the URL map had to say against the request."""
        raise request.routing_exception

    def make_default_options_response(self) -> Response:
        """Answer OPTIONS with the methods that the URL allows."""
        response = self.response_class()
        response.allow.update(_cv_app.get().url_adapter.allowed_methods())
        return response

    def make_response(self, rv: Any) -> Response:
        """Turn what a view returned into a response.

        A str, bytes, dict, list (JSON), iterator (streamed), Response, WSGI
        callable; or a tuple (body, status), (body, headers) or (body, status,
        headers) of one of these.
        """
        body, status, headers = rv, None, None
        if rv is None or isinstance(rv, tuple):
            body, status, headers = _unpack(rv)
        if isinstance(body, _TEXTS):
            return self.response_class(body, status=status, headers=headers)
        if isinstance(body, (dict, list)):
            response = self.json.response(body)
        elif isinstance(body, self.response_class):
            response = body
        elif not isinstance(body, HTTPException) and isinstance(
                body, Iterator):
            return self.response_class(body, status=status, headers=headers)
        else:
            response = self._from_callable(body)
        if status is not None:
            response.status = status
        if headers:
            response.headers.update(headers)
        return response

    def _from_callable(self, body: Any) -> Response:
        environ = _cv_app.get().request.environ
        try:
            if isinstance(body, HTTPException):
                body = body.get_response(environ)
            return self.response_class.force_type(body, environ)
        except TypeError as error:
            raise TypeError(
                f"The view function for {request.endpoint!r} did not return a"
                f" valid response: it was a {type(body).__name__}. {_ANSWERS}"
            ) from error

    def finalize_request(self, rv: Any,
                         from_error_handler: bool = False) -> Response:
        """Make the response and run what comes after the view."""
        response = self.make_response(rv)
        try:
            response = self.process_response(response)
            if request_finished.receivers:
                _announce(request_finished, self, response=response)
        except Exception:
            if not from_error_handler:
                raise
            self.logger.exception("Request finalizing failed with an error"
                                  " while handling an error")
        return response

    def process_response(self, response: Response) -> Response:
        """Run the after_request functions and save the session."""
        ctx = _cv_app.get()
        for f in ctx._after_request_functions:
            response = self._after(f, response)
        if self.after_request_funcs:
            for f in reversed(self._hooks(self.after_request_funcs)):
                response = self._after(f, response)
        session, environ = ctx._session, ctx._request.environ
        if session is None and "HTTP_COOKIE" in environ:
            session = ctx._session_to_refresh(environ["HTTP_COOKIE"])
        if session is not None:
            if not self.session_interface.is_null_session(session):
                self.session_interface.save_session(self, session, response)
        return response

    def _after(self, f, response):
        response = self.ensure_sync(f)(response)
        if response is None:
            raise TypeError(f"The after_request function {f!r} returned None;"
                            " it must return the response, or another one.")
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Run the teardown_request functions."""
        if self.teardown_request_funcs:
            for f in reversed(self._hooks(self.teardown_request_funcs)):
                self.ensure_sync(f)(exc)
        if request_tearing_down.receivers:
            _announce(request_tearing_down, self, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """Run the teardown_appcontext functions."""
        if self.teardown_appcontext_funcs:
            for f in reversed(self.teardown_appcontext_funcs):
                self.ensure_sync(f)(exc)
        if appcontext_tearing_down.receivers:
            _announce(appcontext_tearing_down, self, exc=exc)

    def _hooks(self, table, endpoint=None):
        """Return the app's functions, then those of the blueprints inwards."""
        if len(table) == 1 and None in table:
            return [*table[None]]
        if endpoint is None and _cv_app.get().has_request:
            endpoint = _cv_app.get().request.endpoint
        # "a.b.view" -> None, "a", "a.b"
        parts = (endpoint or "").split(".")[:-1]
        names = itertools.accumulate(parts, "{}.{}".format)
        return [f for name in (None, *names) for f in table.get(name, ())]

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that may be called; an async one is wrapped."""
        return self.async_to_sync(func) if _is_async(func) else func

    def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that runs an async one to its end."""
        @functools.wraps(func)
        def run(*args: Any, **kwargs: Any) -> Any:
            # Imported when the first async function runs.
            import asyncio
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return asyncio.run(func(*args, **kwargs))
            # This thread has a loop, which can't wait for another one.
            from concurrent.futures import ThreadPoolExecutor
            context = contextvars.copy_context()
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(
                    context.run, asyncio.run, func(*args, **kwargs)).result()
        return run

    # -- errors

    def trap_http_exception(self, e: Exception) -> bool:
        """Return True if an HTTP error is to be treated like any other."""
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap is None:
            return self.debug and isinstance(e, BadRequestKeyError)
        return bool(trap) and isinstance(e, BadRequest)

    def handle_user_exception(self, e: Exception) -> Any:
        """Answer an exception by its handler; raise it again without one."""
        if isinstance(e, HTTPException):
            if isinstance(e, BadRequestKeyError) and (
                    self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]):
                e.show_exception = True
            if not self.trap_http_exception(e):
                return self.handle_http_exception(e)
        handler = self._find_error_handler(e)
        if handler is not None:
            return self.ensure_sync(handler)(e)
        try:
            raise e
        finally:
            # The exception holds this frame, so the frame must not hold it.
            del e

    def handle_http_exception(self, e: HTTPException) -> Any:
        """Answer an HTTP error by its handler, or by itself."""
        # Neither a proxied answer nor a redirect is an error.
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e)
        if handler is not None:
            return self.ensure_sync(handler)(e)
        if self.debug and e is _cv_app.get().request.routing_exception:
            return self._debug_page(e, e.get_response()) or e
        return e

    def handle_exception(self, e: Exception) -> Response:
        """Answer what nobody handled by a 500, or raise it to the server."""
        _announce(got_request_exception, self, exception=e)
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if propagate is None:
            propagate = self.testing or self.debug
        if propagate:
            page = self._debug_page(e, Response(status=500))
            if page is not None:
                self.log_exception((type(e), e, e.__traceback__))
                return page
            try:
                raise e
            finally:
                del e
        self.log_exception((type(e), e, e.__traceback__))
        answer: Any = InternalServerError(original_exception=e)
        handler = self._find_error_handler(answer)
        if handler is not None:
            answer = self.ensure_sync(handler)(answer)
        return self.finalize_request(answer, from_error_handler=True)

    def _debug_page(self, e: Exception, response: Response) -> Response | None:
        """Return a response with the error page, if the server wants one."""
        ctx = _cv_app.get()
        if self.debug and ctx.request.environ.get("microflask.debugger"):
            page = None
            try:
                page = _error_page(e, ctx)
            except Exception:
                self.logger.exception("The error page has an error itself")
            if page is not None:
                response.headers["Content-Type"], text = page
                response.set_data(text)
                response.headers["Cache-Control"] = "no-store"
                return response
        return None

    def log_exception(self, exc_info: Any) -> None:
        """Log an exception, with its traceback, under the request's path."""
        current = _cv_app.get().request
        self.logger.error("Exception on %s [%s]", _printable(current.path),
                          _printable(current.method), exc_info=exc_info)

    def _find_error_handler(self, e: Exception) -> Any:
        """Return the nearest handler, or None.

        A code beats a class; then the blueprint beats the app; then the
        nearest class of the exception's bases counts.
        """
        if not self.error_handler_spec:
            return None
        names = (*_cv_app.get().request.blueprints, None)
        code = self._error_kind(type(e))[1]
        for key in (None,) if code is None else (code, None):
            for name in names:
                kinds = self.error_handler_spec.get(name, {}).get(key) or {}
                for kind in type(e).__mro__:
                    if kind in kinds:
                        return kinds[kind]
        return None

    # -- URLs

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the URL map bound to a request, or to SERVER_NAME."""
        config, map, subdomain = self.config, self.url_map, None
        server_name, trusted = config["SERVER_NAME"], config["TRUSTED_HOSTS"]
        if request is None:
            return server_name and map.bind(
                server_name, script_name=config["APPLICATION_ROOT"],
                url_scheme=config["PREFERRED_URL_SCHEME"])
        if trusted is not None:
            request.trusted_hosts = trusted
        environ = request.environ
        get_host(environ, request.trusted_hosts)    # Or it is a 400.
        if map.host_matching:
            server_name = None
        elif not self.subdomain_matching:
            subdomain = map.default_subdomain or ""
        return map.bind_to_environ(environ, server_name, subdomain)

    def url_for(self, endpoint: str, /, *, _anchor: str | None = None,
                _method: str | None = None, _scheme: str | None = None,
                _external: bool | None = None, **values: Any) -> str:
        """Return the URL of an endpoint with these values.

        ".view" is relative to the current blueprint; values that the rule
        doesn't know become the query.  During a request the URL has no host
        unless _external is true; outside it has one, from SERVER_NAME.
        """
        ctx = _cv_app.get(None)
        adapter = (self.create_url_adapter(None) if ctx is None
                   else ctx.url_adapter)
        current = None if ctx is None else ctx._request
        if adapter is None:
            raise RuntimeError(
                "Unable to build URLs outside an active request without"
                " 'SERVER_NAME' configured. Also configure 'APPLICATION_ROOT'"
                " and 'PREFERRED_URL_SCHEME' as needed.")
        if current is not None and endpoint[:1] == ".":
            endpoint = f"{current.blueprint or ''}{endpoint}".lstrip(".")
        if _external is None:
            _external = current is None or _scheme is not None
        if _scheme is not None and not _external:
            raise ValueError(
                "When specifying '_scheme', '_external' must be True.")
        self.inject_url_defaults(endpoint, values)
        try:
            url = adapter.build(endpoint, values, method=_method,
                                url_scheme=_scheme, force_external=_external)
        except BuildError as error:
            values.update(_anchor=_anchor, _method=_method, _scheme=_scheme,
                          _external=_external)
            return self.handle_url_build_error(error, endpoint, values)
        if _anchor is not None:
            url = f"{url}#{quote(_anchor, safe=_ANCHOR_SAFE)}"
        return url

    def inject_url_defaults(self, endpoint: str, values: dict) -> None:
        """Run the url_defaults functions for an endpoint."""
        if self.url_default_functions:
            for f in self._hooks(self.url_default_functions, endpoint):
                f(endpoint, values)

    def handle_url_build_error(self, error: BuildError, endpoint: str,
                               values: dict) -> str:
        """Ask the url_build_error_handlers for a URL, or raise the error."""
        for handler in self.url_build_error_handlers:
            try:
                url = handler(error, endpoint, values)
            except BuildError as other:
                error = other
            else:
                if url is not None:
                    return url
        try:
            raise error
        finally:
            del error    # As above.

    def redirect(self, location: str, code: int = 302) -> Response:
        """Return a response that sends the client to another URL."""
        return _redirect_to(location, code, self.response_class)


_shortcuts(current_app, "app", Flask)


# =============================================================================
# 29. The command line
# =============================================================================
#
# `python3 microflask.py`, `python3 -m microflask` and, once installed,
# `microflask` are one program.  It looks for an app as Flask does: --app or
# FLASK_APP names a module or a file, with ":name" or ":create_app('x')" after
# it; without them it is wsgi.py or app.py.  In a module it takes `app`,
# `application`, the only Flask object, or what create_app() or make_app()
# returns.  To run, shell and routes come three commands for a file that was
# copied: secret, about and vendor.
# Left out: commands of other packages by entry points.


class NoAppException(UsageError):
    """No app could be found or loaded; the sentence says what to do."""


def _reached():
    """Return True if the error came from inside what was called."""
    trace: Any = sys.exc_info()[2]
    return trace.tb_next is not None


def _make_app(module, name, args=(), options=None):
    """Return what a factory of the module makes of these arguments."""
    try:
        return getattr(module, name)(*args, **options or {})
    except TypeError:
        if _reached():
            raise
        raise NoAppException(
            f"The factory '{name}' in module '{module.__name__}' could not be"
            " called with these arguments. Write them after its name:"
            f" --app \"{module.__name__}:{name}('value')\".") from None


def find_best_app(module: Any) -> Any:
    """Return the app of a module that is most likely meant."""
    for name in ("app", "application"):
        if isinstance(getattr(module, name, None), Flask):
            return getattr(module, name)
    where = module.__name__
    names = [name for name, app in vars(module).items()
             if isinstance(app, Flask)]
    if len(names) > 1:
        raise NoAppException(
            f"There are multiple Flask applications in module '{where}'. Say"
            f" which is meant: --app {where}:{names[0]}.")
    if names:
        return getattr(module, names[0])
    hint = _foreign(module)
    for name in ("create_app", "make_app"):
        if isinstance(getattr(module, name, None), types.FunctionType):
            app = _make_app(module, name)
            if isinstance(app, Flask):
                return app
            hint = f" {name}() returned {app!r}, which is none." + hint
    raise NoAppException(
        "Failed to find a Flask application or factory (app, application,"
        f" create_app, make_app) in module '{where}'. If it has another name,"
        f" write --app {where}:name." + hint)


def _foreign(module):
    """Return a hint if the module's app is of another copy of this file."""
    for app in vars(module).values():
        kinds = {kind.__name__: kind.__module__ for kind in type(app).__mro__}
        if not isinstance(app, Flask) and "Flask" in kinds:
            return (f" Its {app!r} is made with {kinds['Flask']!r} and not"
                    f" with {__file__!r}: import Flask from here, or use the"
                    " command line that belongs to it.")
    return ""


def find_app_by_string(module: Any, app_name: str) -> Any:
    """Return the app that "name" or "factory('argument')" means."""
    args, options = [], {}
    try:
        node: Any = ast.parse(app_name.strip(), mode="eval").body
        if isinstance(node, ast.Call):
            args = [ast.literal_eval(value) for value in node.args]
            options = {word.arg: ast.literal_eval(word.value)
                       for word in node.keywords}
            node = node.func
        name = node.id
    except (SyntaxError, ValueError, AttributeError):
        raise NoAppException(
            f"Failed to parse {app_name!r}: after the colon stands the name of"
            " an app, or of a factory with literal values, as in"
            " create_app('test').") from None
    app = getattr(module, name, _missing)
    if app is _missing:
        raise NoAppException(
            f"Failed to find {name!r} in module '{module.__name__}'.")
    if isinstance(app, types.FunctionType):
        app = _make_app(module, name, args, options)
    if not isinstance(app, Flask):
        raise NoAppException(
            f"'{module.__name__}:{app_name}' is not a valid Flask application:"
            f" it is {app!r}." + _foreign(module))
    return app


def _module_in(path):
    """Return (folder, name) by which the module in a file is imported."""
    path = re.sub(r"\.py\Z", "", os.path.realpath(path))
    path = re.sub(r"[\\/]__init__\Z", "", path)
    folder, name = os.path.split(path)
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    return folder, name


def prepare_import(path: str) -> str:
    """Return the name of the module in a file, and make it importable.

    The folder that holds it, or its outermost package, comes first in the
    path of modules: prepare_import("src/shop/web.py") -> "shop.web".
    """
    if os.path.dirname(path) and not any(map(
            os.path.exists, (path, path.rstrip("\\/") + ".py"))):
        raise NoAppException(f"There is no file {path!r}.")
    folder, name = _module_in(path)
    if sys.path[0] != folder:
        sys.path.insert(0, folder)
    return name


def locate_app(module_name: str, app_name: str | None,
               raise_if_not_found: bool = True) -> Any:
    """Import a module and return its app."""
    try:
        __import__(module_name)
    except ImportError:
        if _reached():
            import traceback    # for this failure only
            raise NoAppException(
                f"While importing {module_name!r}, an ImportError was raised:"
                f"\n\n{traceback.format_exc()}") from None
        if raise_if_not_found:
            raise NoAppException(
                f"Could not import {module_name!r}. Is there a file"
                f" {module_name.replace('.', os.sep)}.py?") from None
        return None
    module = sys.modules[module_name]
    return (find_best_app(module) if app_name is None
            else find_app_by_string(module, app_name))


def _locate(path):
    """Return the app that --app names, or that of wsgi.py or app.py."""
    if path:
        # Not the colon of a drive: C:\shop\app.py
        file, *name = re.split(r":(?![\\/])", path, maxsplit=1)
        return locate_app(prepare_import(file), name[0] if name else None)
    for file in ("wsgi.py", "app.py"):
        app = locate_app(prepare_import(file), None, False)
        if app is not None:
            return app
    raise NoAppException(
        "Could not locate a Flask application: there is no app.py or wsgi.py"
        " in this folder. Name its file: --app hello.py (or set FLASK_APP).")


ScriptInfo._locate = staticmethod(_locate)


class FlaskGroup(AppGroup):
    """The commands of this file and those of the app that it finds."""

    def __init__(self, add_default_commands: bool = True,
                 create_app: Callable[..., Any] | None = None,
                 add_version_option: bool = True, load_dotenv: bool = True,
                 set_debug_flag: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.add_version_option = add_version_option
        self._settings = {"create_app": create_app,
                          "set_debug_flag": set_debug_flag,
                          "load_dotenv_defaults": load_dotenv}
        if add_default_commands:
            for command in (run_command, shell_command, routes_command):
                self.add_command(command)

    def _parser(self, path):
        parser = super()._parser(path)
        add = parser.add_argument
        add("-A", "--app", dest="--app", metavar="IMPORT", help="The app: a"
            " file or a module, perhaps with :name or :factory('argument').")
        add("-e", "--env-file", dest="--env-file", metavar="FILE", help="Read"
            " environment variables from this file, besides .flaskenv and"
            " .env; what is set already wins.")
        self._add_flag(parser, "--debug", dest="--debug", help="Show errors on"
                       " the page, and restart when a file changes.")
        if self.add_version_option:
            add("--version", dest="--version", action="store_true",
                help="Show the version.")
        return parser

    def _begin(self, values, info):
        """Read .env files, then see which app and how."""
        os.environ["FLASK_RUN_FROM_CLI"] = "true"   # app.run() does nothing.
        info.prefix = "FLASK"
        if values.pop("--version", False):
            print(f"microflask {__version__}\nPython {_PYTHON}")
            sys.exit(0)
        file = values.pop(
            "--env-file", os.environ.get("FLASK_ENV_FILE") or None)
        if file is not None and not os.path.isfile(file):
            raise UsageError(f"There is no file {file!r} for --env-file.")
        if file is not None or info.load_dotenv_defaults:
            load_dotenv(file, info.load_dotenv_defaults)
        info.app_import_path = values.pop(
            "--app", info.app_import_path or os.environ.get("FLASK_APP"))
        if "--debug" in values:
            os.environ["FLASK_DEBUG"] = str(int(values.pop("--debug")))

    def get_command(self, info: ScriptInfo, name: str) -> Command | None:
        """Return a command of this group, or else one of the app."""
        if name in self.commands:
            return self.commands[name]
        return info.load_app().cli.get_command(info, name)

    def list_commands(self, info: ScriptInfo) -> list[str]:
        """Return the names of all commands; tell why the app has none."""
        names = set(self.commands)
        try:
            names.update(info.load_app().cli.list_commands(info))
        except Exception as error:
            reason = error if isinstance(error, UsageError) else repr(error)
            print(f"The app's own commands are not shown. {reason}\n",
                  file=sys.stderr)
        return sorted(names)


_PYTHON = f"{sys.version.split()[0]} ({sys.executable})"


def show_server_banner(debug: bool, app_import_path: str | None) -> None:
    """Say which app is served and if in debug mode; not after a restart."""
    if not is_running_from_reloader():
        if app_import_path is not None:
            print(f" * Serving Flask app '{app_import_path}'")
        print(f" * Debug mode: {'on' if debug else 'off'}", flush=True)


def _tls(cert, key):
    """Return what --cert and --key mean: None, "adhoc", files, a context."""
    is_file = cert is not None and os.path.isfile(cert)
    if is_file != (key is not None):
        raise UsageError("A certificate file as --cert and its --key must both"
                         f" be given, not --cert {cert} and --key {key}.")
    if cert is None or is_file:
        return cert and (cert, key)
    if cert.lower() == "adhoc":
        return "adhoc"
    context = import_string(cert, silent=True)
    if context is None:
        raise UsageError(f"There is no file {cert!r} for --cert; nor is it"
                         " 'adhoc' or the import name of an SSLContext.")
    return context


@pass_script_info
def _run(info, host="127.0.0.1", port=5000, cert: str | None = None,
         key: str | None = None, reload: bool | None = None,
         debugger: bool | None = None, with_threads=True,
         extra_files: str | None = None, exclude_patterns: str | None = None,
         debug: bool | None = None):
    """Serve the app on this machine, for development.

    Then open http://127.0.0.1:5000 in a browser; Ctrl-C stops it. For real
    traffic use a production server such as gunicorn: the app is plain WSGI.

    :param host: Listen on this address; 0.0.0.0 lets other machines in.
    :param port: Listen on this port (5000); 0 takes a free one.
    :param cert: Serve https with this certificate file; or 'adhoc'.
    :param key: The key file of the certificate.
    :param reload: Restart when a file changes, as in debug mode.
    :param debugger: Show errors on the page, as in debug mode.
    :param with_threads: Answer several requests at once, as it does.
    :param extra_files: More files whose change restarts the server.
    :param exclude_patterns: Files whose change does not restart it.
    :param debug: Reload, and show errors on the page.
    """
    ssl_context = _tls(cert, key)
    if not 0 <= port < 65536:
        raise UsageError(f"--port {port}: ports go from 0 to 65535.")
    if debug is not None:
        os.environ["FLASK_DEBUG"] = str(int(debug))
    watched, ignored = [text.split(os.pathsep) if text else [] for text in (
        extra_files, exclude_patterns)]
    try:
        app = info.load_app()
        watched += app._template_folders()
    except Exception as error:
        if not is_running_from_reloader():
            raise
        import traceback    # for this failure only
        traceback.print_exc()
        app = _stand_in(error)
        # The next save may mend it.
        frames = traceback.extract_tb(error.__traceback__)
        watched += [frame.filename for frame in frames]
        watched += [getattr(error, "filename", None) or ""]
    debug = get_debug_flag()
    show_server_banner(debug, info.app_import_path)
    run_simple(host, port, app, threaded=with_threads, ssl_context=ssl_context,
               use_reloader=debug if reload is None else reload,
               use_debugger=debug if debugger is None else debugger,
               extra_files=watched, exclude_patterns=ignored)


def _stand_in(error):
    """Return an app that shows why the real one can't be imported."""
    trace = error.__traceback__

    def fail():
        raise error.with_traceback(trace)
    app = Flask("app", static_folder=None)
    app.debug = get_debug_flag()
    app.before_request(fail)
    return app


@with_appcontext
def _shell():
    """Open a Python prompt inside the app's context.

    It knows app, g and what the app's shell_context_processors give; Tab
    completes names.
    """
    import code         # for the shell only
    names: dict[str, Any] = {}
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and os.path.isfile(startup):
        with open(startup, encoding="utf-8") as file:
            exec(compile(file.read(), startup, "exec"), names)
    names.update(current_app.make_shell_context())
    with contextlib.suppress(ImportError, AttributeError):
        import readline
        from rlcompleter import Completer
        sys.__interactivehook__()
        readline.set_completer(Completer(names).complete)
    code.interact(f"Python {sys.version} on {sys.platform}\n"
                  f"App: {current_app.import_name}\n"
                  f"Instance: {current_app.instance_path}", local=names)


@with_appcontext
def _routes(sort: Literal["endpoint", "methods", "domain", "rule",
                          "match"] = "endpoint", all_methods=False):
    """Show the URL rules of the app.

    :param sort: By endpoint, methods, domain, rule or match (as registered).
    :param all_methods: Show HEAD and OPTIONS, too.
    """
    hosts = current_app.url_map.host_matching
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    rows = [(rule.endpoint,
             ", ".join(sorted(set(rule.methods or ()) - hidden)),
             (rule.host if hosts else rule.subdomain) or "", rule.rule)
            for rule in current_app.url_map.iter_rules()]
    if not rows:
        print("No routes were registered.")
        return
    keys = ["endpoint", "methods", "domain", "rule"]
    if sort in keys:
        rows.sort(key=operator.itemgetter(keys.index(sort)))
    heads = ("Endpoint", "Methods", "Host" if hosts else "Subdomain", "Rule")
    columns = [column for column in zip(heads, *rows) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = [*zip(*columns)]
    for line in [lines[0], ["-" * width for width in widths], *lines[1:]]:
        print("  ".join(map(str.ljust, line, widths)))


def _secret():
    """Print a new secret key, to be kept out of the code.

    For example in the file .env, for app.config.from_prefixed_env():
    FLASK_SECRET_KEY=... Every process of the app needs the same key.
    """
    import secrets
    print(secrets.token_hex(32))


_VENDORED_RE = _Regex(
    rb"# microflask \S+, vendored; sha256 of what follows: (\w+)\n")
_BANNER_RE = _Regex(rb"(?m)^# =+\n# (\S.*)\n# =+\n")


def _read_copy(path):
    """Return (version or None, text, checksum, state) of a file."""
    with open(path, "rb") as file:
        text = file.read().replace(b"\r\n", b"\n")
    line = _VENDORED_RE.match(text)
    text = text[line.end() if line else 0:]
    version = re.search(rb'(?m)^__version__ = "([^"]+)"', text)
    checksum = hashlib.sha256(text).hexdigest()
    state = ("not a copy of microflask" if version is None
             else "without a checksum line: it may be edited" if line is None
             else "unchanged" if line[1].decode() == checksum
             else "edited since it was vendored")
    return version and version[1].decode(), text, checksum, state


def _about():
    """Show which copy of microflask this is."""
    version, _, checksum, state = _read_copy(__file__)
    print(f"version   {version}\nfile      {os.path.abspath(__file__)}\n"
          f"state     {state}\nsha256    {checksum}\nPython    {_PYTHON}")


def _changes(*copies):
    """Return the titles of the sections in which two copies differ."""
    old, new = ({b"Header": found[0], **dict(zip(found[1::2], found[2::2]))}
                for found in map(_BANNER_RE.split, copies))
    return [title.decode() for title in {**old, **new}
            if old.get(title) != new.get(title)]


def _vendor(directory: str, force=False):
    """Copy this file into a project, with its version and a checksum.

    A copy that is there already is replaced, and what changed is told. One
    that was edited, or another file, is replaced by --force alone.

    :param directory: The folder, or the file: tool/_vendor/flask.py.
    :param force: Replace the file even if it was edited.
    """
    version, text, checksum, _ = _read_copy(__file__)
    target = os.path.realpath(directory)
    if not target.endswith(".py"):
        target = os.path.join(target, os.path.basename(__file__))
    if os.path.exists(target) and os.path.samefile(target, __file__):
        raise UsageError(f"{target} is the file that runs; name another.")
    try:
        if os.path.exists(target):
            before, old, _, state = _read_copy(target)
            for title in _changes(old, text) if before else ():
                print(f"{before} -> {version} differs: {title}")
            if not (force or old == text or state == "unchanged"):
                raise UsageError(f"{target} is {state}. Look into it; --force"
                                 " replaces it.")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # A full disk must not leave half of a module.
        with open(f"{target}.new", "wb") as file:
            file.write(f"# microflask {version}, vendored; sha256 of what"
                       f" follows: {checksum}\n".encode() + text)
        os.replace(f"{target}.new", target)
    except OSError as error:
        raise UsageError(f"Can't write {target}: {error.strerror}.") from None
    print(f"Wrote {target}: microflask {version}, sha256 {checksum}")


run_command = Command("run", _run, short="hp")
shell_command = Command("shell", _shell)
routes_command = Command("routes", _routes, short="s")

cli = FlaskGroup(help="""\
Runs apps made with microflask, and helps to keep a copy of it.

The app is found in wsgi.py or app.py of this folder, or where --app says:

    %(prog)s run                      the app of app.py
    %(prog)s --app hello.py run       the app of hello.py
    %(prog)s --app shop:create_app run --port 8000 --debug

Each option can be set by a variable: FLASK_APP, FLASK_DEBUG, FLASK_RUN_PORT.
Help on a command: %(prog)s run --help""")
for _name, _function in (
        ("secret", _secret), ("about", _about), ("vendor", _vendor)):
    cli.add_command(Command(_name, _function))


def _own_names():
    """Return the names by which others import this file when it is run."""
    spec = globals()["__spec__"]
    if spec is not None:        # python3 -m tool.microflask
        return [spec.name]
    names = {_module_in(__file__)[1], os.path.basename(__file__)[:-3]}
    # Below this folder any folder is a package, with or without __init__.py.
    path, here = os.path.realpath(__file__)[:-3], os.path.realpath("")
    if path.startswith(os.path.join(here, "")):
        names.add(os.path.relpath(path, here).replace(os.sep, "."))
    return names


def main() -> NoReturn:
    """Run the command line of this file."""
    spec = sys.modules["__main__"].__spec__
    name = os.path.basename(sys.argv[0])
    if spec is not None:
        name = f"python3 -m {spec.name}"
    elif name.endswith(".py"):
        name = f"python3 {sys.argv[0]}"
    cli.main(prog_name=name)


# =============================================================================
# The end: names that are asked for and not here, and the licence
# =============================================================================

_LEFT_OUT = {name: reason for reason, names in {
    "it is gone from Flask; use app_ctx": "_app_ctx_stack",
    "it is gone from Flask; use request_ctx": "_request_ctx_stack",
    "it is gone from Flask; derive app.json from DefaultJSONProvider":
        "JSONDecoder JSONEncoder",
    "it is gone from Flask; use hmac.compare_digest": "safe_str_cmp",
    "it is gone from Flask; use timedelta.total_seconds()": "total_seconds",
    "it is gone from Flask; use URLSafeTimedSerializer":
        "JSONWebSignatureSerializer TimedJSONWebSignatureSerializer",
    "it is gone from Flask; urllib.parse has what replaces it":
        """url_decode url_encode url_fix url_join url_parse url_quote
        url_quote_plus url_unparse url_unquote url_unquote_plus""",
    "it is left out; any WSGI middleware can wrap app.wsgi_app":
        """DebuggedApplication LintMiddleware ProfilerMiddleware
        ProxyMiddleware SharedDataMiddleware""",
    "it is left out; any WSGI server can run the app":
        """BaseWSGIServer ForkingWSGIServer ThreadedWSGIServer
        WSGIRequestHandler load_ssl_context make_ssl_devcert""",
    "it is left out; annotate with typing.Any":
        """AfterRequestCallable AppOrBlueprintKey BeforeFirstRequestCallable
        BeforeRequestCallable ErrorHandlerCallable HeaderValue HeadersValue
        ResponseClass ResponseReturnValue ResponseValue RouteCallable
        ShellContextProcessorCallable TeardownCallable
        TemplateContextProcessorCallable TemplateFilterCallable
        TemplateGlobalCallable TemplateTestCallable URLDefaultCallable
        URLValuePreprocessorCallable""",
    "it is left out; match() raises RequestRedirect or an HTTPException":
        """NoMatch RequestAliasRedirect RequestPath WebsocketMismatch
        StateMachineMatcher""",
    "it is left out; a loader is any object with a method get_source":
        "BaseLoader ChoiceLoader PackageLoader",
    "it is left out; it is the default, see TEMPLATES_UNDEFINED":
        "StrictUndefined",
    "it is left out; replace app.select_jinja_autoescape": "select_autoescape",
    "it is left out; catch TemplateNotFound": "TemplatesNotFound",
    "it is left out; use MultiDict":
        "FileMultiDict ImmutableOrderedMultiDict OrderedMultiDict",
    "it is left out; derive from MultiDict, CallbackDict or ImmutableDict":
        """ImmutableDictMixin ImmutableHeadersMixin ImmutableListMixin
        ImmutableMultiDictMixin ImmutableTypeConversionDict TypeConversionDict
        UpdateDictMixin""",
    "it is left out; use parse_form_data or a FormDataParser":
        "MultiPartParser MultipartDecoder",
    "it is left out; use encode_multipart":
        "MultipartEncoder stream_encode_multipart",
    "it is left out; use request.path": "get_path_info",
    "it is left out; use response.make_conditional":
        "IfRange is_byte_range_valid is_resource_modified",
    "it is left out; a response removes what its status forbids":
        """is_entity_header is_hop_by_hop_header remove_entity_headers
        remove_hop_by_hop_headers""",
    "it is left out; a few lines of one's own take its place":
        """append_slash_redirect bytes_to_int environ_property find_modules
        get_content_type http_method_funcs int_to_bytes responder""",
    "it is left out; use app.logger, app.debug or app.root_path":
        "create_logger get_root_path",
    "it is left out; use json.dumps and its like": "dump dumps load loads",
    "it is left out; use TaggedJSONSerializer()": "session_json_serializer",
    "it is left out; derive from JSONTag":
        """PassDict PassList TagBytes TagDateTime TagDict TagMarkup TagTuple
        TagUUID""",
    "it is left out; derive from HMACAlgorithm": "SigningAlgorithm",
    "it is left out; derive from URLSafeSerializer": "URLSafeSerializerMixin",
    "it is left out; use Signal or Namespace().signal":
        "NamedSignal default_namespace",
}.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Return what is made when first asked for; say what is left out."""
    if name == "default_handler":
        return _default_handler()
    if name == "NotImplemented":
        return MethodNotImplemented    # Python's own name must stay Python's.
    if name in _LEFT_OUT:
        raise AttributeError(
            f"{__name__} has no {name!r}, which Flask has or had:"
            f" {_LEFT_OUT[name]}.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    # A file that is run is the module "__main__".  An app that imports it by
    # its own name would get a second copy, whose Flask is another class: so
    # that name leads to this copy; or, if the package that holds this file has
    # imported it already, this copy to that one.
    _copy: Any = sys.modules[__name__]
    for _name in _own_names():
        _copy = sys.modules.setdefault(_name, _copy)
    _copy.main()


# History
#
#   0.1.0   The core: routing, requests, responses, templates, sessions,
#           signals, blueprints, the test client, the command line.
#
# BSD 3-Clause License
#
# Copyright (c) 2026, the microflask authors
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are met:
#
# 1. Redistributions of source code must retain the above copyright notice,
#    this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright notice,
#    this list of conditions and the following disclaimer in the documentation
#    and/or other materials provided with the distribution.
#
# 3. Neither the name of the copyright holder nor the names of its contributors
#    may be used to endorse or promote products derived from this software
#    without specific prior written permission.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
# AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
# IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
# ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE
# LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
# CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF
# SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
# INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
# CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE)
# ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
# POSSIBILITY OF SUCH DAMAGE.
