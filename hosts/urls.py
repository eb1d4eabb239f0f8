"""Addresses of tasks, hosts and artifacts."""

from django.urls import path

from hosts.live.log_urls import log_urlpatterns
from hosts.models.host import VERBS
from hosts.pages import host_views, schedule_views, statistics_views, views, window_views

urlpatterns = [
    path("tasks/", views.task_list, name="task-list"),
    path("tasks/bulk/", views.task_bulk, name="task-bulk"),
    path("tasks/<int:pk>/", views.task_detail, name="task"),
    path("tasks/<int:pk>/priority/", views.task_priority, name="task-priority"),
    path("tasks/<int:pk>/row/", views.task_row, name="task-row"),
    path("tasks/<int:pk>/cancel/", views.task_cancel, name="task-cancel"),
    path("tasks/<int:pk>/retry/", views.task_retry, name="task-retry"),
    path("tasks/<int:pk>/log/<int:attempt>/<str:name>/", views.task_log, name="task-log"),
    *log_urlpatterns,
    path("schedules/", schedule_views.schedule_list, name="schedule-list"),
    path("schedules/new/", schedule_views.schedule_new, name="schedule-new"),
    path("schedules/-/times/", schedule_views.schedule_times, name="schedule-times"),
    path("schedules/<slug:name>/edit/", schedule_views.schedule_edit, name="schedule-edit"),
    path("schedules/<slug:name>/", schedule_views.schedule_detail, name="schedule"),
    path("schedules/<slug:name>/enable/", schedule_views.schedule_enable, name="schedule-enable"),
    path("schedules/<slug:name>/disable/", schedule_views.schedule_disable, name="schedule-disable"),
    path("schedules/<slug:name>/run/", schedule_views.schedule_run, name="schedule-run"),
    path("schedules/<slug:name>/delete/", schedule_views.schedule_delete, name="schedule-delete"),
    path("channels/", window_views.window_list, name="window-list"),
    path("channels/<slug:name>/strategy/", window_views.channel_strategy, name="channel-strategy"),
    path("windows/<int:pk>/delete/", window_views.window_delete, name="window-delete"),
    path("hosts/", host_views.host_list, name="host-list"),
    path("hosts/-/registrations/", host_views.registrations, name="host-registrations"),
    path("hosts/-/registrations/<int:pk>/revoke/", host_views.registration_revoke, name="registration-revoke"),
    path("hosts/<str:name>/", host_views.host_detail, name="host"),
    path("hosts/<str:name>/edit/", host_views.host_edit, name="host-edit"),
    path("hosts/<str:name>/ran/", host_views.host_ran, name="host-ran"),
    path("hosts/<str:name>/lift/", host_views.host_lift, name="host-lift"),
    path("hosts/<str:name>/doctor/", host_views.host_doctor, name="host-doctor"),
    *(path(f"hosts/<str:name>/{verb}/", host_views.host_switch, {"verb": verb}, name=f"host-{verb}") for verb in VERBS),
    path("statistics/", statistics_views.statistics_page, name="statistics"),
    path("statistics/export/<str:form>/", statistics_views.statistics_export, name="statistics-export"),
    path("retention/", statistics_views.retention_page, name="retention"),
    path("artifacts/", views.artifact_list, name="artifact-list"),
    path("artifacts/<int:pk>/<str:name>", views.artifact_download, name="artifact-download"),
]
