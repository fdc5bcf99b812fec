"""The way in for Celery: the application, the task that runs steps, the bell and the clock."""
