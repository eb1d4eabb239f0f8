"""Pages of the API: by cursor, so that no list counts its rows."""

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    ordering = "-pk"
    page_size_query_param = "page_size"
    max_page_size = 200
