import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(unique=True)),
                ('description', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('kind', models.CharField(max_length=20)),
                ('key', models.CharField(max_length=100)),
                ('what', models.CharField(max_length=40)),
                ('topics', models.JSONField(default=list)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Host',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('architectures', models.JSONField(default=list)),
                ('capacity', models.FloatField(default=2.0)),
                ('enabled', models.BooleanField(default=True)),
                ('is_hub', models.BooleanField(default=False)),
                ('comment', models.CharField(blank=True, max_length=200)),
                ('token_hash', models.CharField(blank=True, db_index=True, max_length=64)),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
                ('report', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('channels', models.ManyToManyField(blank=True, related_name='hosts', to='hosts.channel')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('method', models.CharField(max_length=40)),
                ('title', models.CharField(max_length=200)),
                ('is_parent', models.BooleanField(default=False)),
                ('architecture', models.CharField(blank=True, max_length=20)),
                ('weight', models.FloatField(default=1.0)),
                ('priority', models.IntegerField(default=20)),
                ('public', models.BooleanField(default=True)),
                ('request', models.JSONField(default=dict)),
                ('limits', models.JSONField(default=dict)),
                ('result', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('free', 'waiting'), ('assigned', 'assigned'), ('running', 'running'), ('completed', 'completed'), ('failed', 'failed'), ('canceled', 'canceled')], default='free', max_length=10)),
                ('claim', models.UUIDField(null=True, unique=True)),
                ('lease_ends_at', models.DateTimeField(null=True)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('attempts_allowed', models.PositiveIntegerField(default=3)),
                ('not_before_at', models.DateTimeField(null=True)),
                ('cancel_asked_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True)),
                ('kind', models.CharField(blank=True, max_length=20)),
                ('decisive', models.JSONField(default=list)),
                ('progress', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('claimed_at', models.DateTimeField(null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='hosts.channel')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to=settings.AUTH_USER_MODEL)),
                ('dependencies', models.ManyToManyField(blank=True, related_name='dependants', to='hosts.task')),
                ('host', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='hosts.host')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='hosts.task')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='Log',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=100)),
                ('size', models.BigIntegerField(default=0)),
                ('sealed_at', models.DateTimeField(null=True)),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='logs', to='hosts.task')),
            ],
            options={
                'ordering': ['attempt', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, max_length=20)),
                ('reason', models.TextField(blank=True)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='hosts.host')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempt_history', to='hosts.task')),
            ],
            options={
                'ordering': ['task', 'number'],
            },
        ),
        migrations.CreateModel(
            name='Artifact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('kind', models.CharField(choices=[('binary', 'binary package'), ('changes', 'changes'), ('buildinfo', 'buildinfo'), ('source', 'source package'), ('log', 'log'), ('image', 'image'), ('tree', 'OSTree repository'), ('proof', 'proof'), ('metadata', 'metadata'), ('other', 'file')], default='other', max_length=20)),
                ('media_type', models.CharField(default='application/octet-stream', max_length=100)),
                ('sha256', models.CharField(db_index=True, max_length=64)),
                ('size', models.BigIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='artifacts', to='hosts.task')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.AddConstraint(
            model_name='host',
            constraint=models.CheckConstraint(condition=models.Q(('capacity__gt', 0)), name='host_capacity'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('is_parent', False), ('state', 'free')), fields=['priority', 'id'], name='task_queue'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('state__in', ['assigned', 'running'])), fields=['lease_ends_at'], name='task_lease'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['state', '-id'], name='task_state'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['host', 'state'], name='task_host'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['created_by', '-id'], name='task_creator'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['method', '-id'], name='task_method'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(('weight__gt', 0)), name='task_weight'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_parent', False), ('state__in', ['assigned', 'running']), _negated=True), models.Q(('claim__isnull', False), ('host__isnull', False), ('lease_ends_at__isnull', False)), _connector='OR'), name='task_held_by_a_host'),
        ),
        migrations.AddConstraint(
            model_name='log',
            constraint=models.UniqueConstraint(fields=('task', 'attempt', 'name'), name='log_once'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(fields=('task', 'number'), name='attempt_once'),
        ),
        migrations.AddConstraint(
            model_name='artifact',
            constraint=models.UniqueConstraint(fields=('task', 'name'), name='artifact_name_per_task'),
        ),
        migrations.CreateModel(
            name='DayCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('dimension', models.CharField(choices=[('all', 'day'), ('package', 'package'), ('target', 'target'), ('architecture', 'architecture'), ('host', 'host'), ('method', 'method')], max_length=12)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('completed', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('lost', models.PositiveIntegerField(default=0)),
                ('canceled', models.PositiveIntegerField(default=0)),
                ('waited', models.FloatField(default=0.0)),
                ('longest_wait', models.FloatField(default=0.0)),
                ('ran', models.FloatField(default=0.0)),
                ('longest_run', models.FloatField(default=0.0)),
            ],
        ),
        migrations.CreateModel(
            name='HostSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('grain', models.PositiveIntegerField(default=60)),
                ('load', models.FloatField()),
                ('memory', models.FloatField()),
                ('disk', models.FloatField()),
                ('running', models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name='QueueSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('grain', models.PositiveIntegerField(default=60)),
                ('architecture', models.CharField(blank=True, max_length=20)),
                ('waiting', models.FloatField()),
                ('running', models.FloatField()),
                ('oldest', models.FloatField(default=0.0)),
            ],
        ),
        migrations.CreateModel(
            name='Registration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_hash', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('architectures', models.JSONField(default=list)),
                ('capacity', models.FloatField(null=True)),
                ('labels', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='ScalingAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('policy', models.CharField(max_length=60)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('direction', models.CharField(max_length=4)),
                ('host', models.CharField(max_length=200)),
                ('hosts', models.PositiveIntegerField()),
                ('wanted', models.PositiveIntegerField()),
                ('reason', models.TextField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('failure', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.RemoveField(
            model_name='host',
            name='enabled',
        ),
        migrations.AddField(
            model_name='attempt',
            name='counted',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='attempt',
            name='package',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='attempt',
            name='target',
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name='host',
            name='labels',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='host',
            name='problems',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='host',
            name='quarantine',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='host',
            name='quarantined_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='host',
            name='sampled_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='host',
            name='state',
            field=models.CharField(choices=[('enabled', 'enabled'), ('draining', 'draining'), ('maintenance', 'in maintenance'), ('disabled', 'disabled')], default='enabled', max_length=12),
        ),
        migrations.AddField(
            model_name='host',
            name='state_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='host',
            name='state_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='host',
            name='trusted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['host', '-id'], name='attempt_host'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('package', ''), _negated=True), fields=['package', 'finished_at'], name='attempt_package'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('counted', False)), fields=['finished_at'], name='attempt_uncounted'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('outcome', 'failed')), fields=['finished_at'], name='attempt_failed'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('parent', None)), fields=['finished_at'], name='task_root_ended'),
        ),
        migrations.AddIndex(
            model_name='daycount',
            index=models.Index(fields=['dimension', 'name', 'day'], name='day_count_name'),
        ),
        migrations.AddConstraint(
            model_name='daycount',
            constraint=models.UniqueConstraint(fields=('dimension', 'day', 'name'), name='day_count_once'),
        ),
        migrations.AddField(
            model_name='hostsample',
            name='host',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='samples', to='hosts.host'),
        ),
        migrations.AddIndex(
            model_name='queuesample',
            index=models.Index(fields=['grain', 'at'], name='queue_sample_age'),
        ),
        migrations.AddField(
            model_name='registration',
            name='channels',
            field=models.ManyToManyField(blank=True, related_name='+', to='hosts.channel'),
        ),
        migrations.AddField(
            model_name='registration',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='registration',
            name='host',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='registrations', to='hosts.host'),
        ),
        migrations.AddIndex(
            model_name='scalingact',
            index=models.Index(fields=['policy', '-id'], name='scaling_act_policy'),
        ),
        migrations.AddIndex(
            model_name='hostsample',
            index=models.Index(fields=['host', 'grain', 'at'], name='host_sample_history'),
        ),
        migrations.AddIndex(
            model_name='hostsample',
            index=models.Index(fields=['grain', 'at'], name='host_sample_age'),
        ),
    ]
