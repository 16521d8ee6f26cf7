/* What scripts add to the page: the choice of colours is kept, tables sort, plots zoom. Without them all is there to be read. */
(function () {
	'use strict';
	var root = document.documentElement, data = document.getElementById('series');

	/* ---- colours ---- */
	function themes() { return Array.prototype.slice.call(document.querySelectorAll('.theme input')); }
	try {
		var kept = localStorage.getItem('logaudit-theme');
		if (kept) themes().forEach(function (input) { input.checked = input.id === kept; });
	} catch (e) { /* a page from disk may have no storage */ }
	themes().forEach(function (input) {
		input.addEventListener('change', function () {
			try { localStorage.setItem('logaudit-theme', input.id); } catch (e) { /* as above */ }
			draw();
		});
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () { draw(); });

	/* ---- tables ---- */
	function value(row, column) {
		var cell = row.cells[column], v = cell.getAttribute('data-v');
		return v === null ? cell.textContent : Number(v);
	}
	function sort(table, column, button) {
		var head = button.parentNode, down = head.getAttribute('aria-sort') !== 'descending';
		var rows = Array.prototype.slice.call(table.tBodies[0].rows);
		rows.sort(function (a, b) {
			var x = value(a, column), y = value(b, column), order = x < y ? -1 : x > y ? 1 : 0;
			return down ? -order : order;
		});
		Array.prototype.forEach.call(table.tHead.rows[0].cells, function (th) { th.removeAttribute('aria-sort'); });
		head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
		rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
	}
	document.querySelectorAll('table.sortable').forEach(function (table) {
		Array.prototype.forEach.call(table.tHead.rows[0].cells, function (th, column) {
			var button = document.createElement('button');
			button.type = 'button';
			button.textContent = th.textContent;
			th.textContent = '';
			th.appendChild(button);
			button.addEventListener('click', function () { sort(table, column, button); });
		});
	});

	/* ---- plots ---- */
	if (!data || !window.uPlot) return;
	var series = JSON.parse(data.textContent), plots = [], end = series.t[series.t.length - 1] + series.width;
	var figures = Array.prototype.slice.call(document.querySelectorAll('figure[data-plot]')), busy = false, tools = null, all = null;
	if (series.t.length < 2) return;
	/* The last step is as wide as the others. */
	var times = series.t.concat([end]);
	Object.keys(series.plots).forEach(function (name) {
		series.plots[name].curves.forEach(function (curve) { curve.push(curve[curve.length - 1]); });
	});

	function number(v, digits) { return v.toLocaleString('en', { maximumFractionDigits: digits === undefined ? 2 : digits }); }
	function shown(v, unit) {
		var i = 0;
		if (v === null || v === undefined) return '-';
		if (unit === 1) return number(100 * v, 2) + ' %';
		if (unit === 3) return v >= 1e6 ? number(v / 1e6) + ' s' : v >= 1e3 ? number(v / 1e3) + ' ms' : number(v) + ' us';
		if (unit === 2) {
			for (; v >= 1024 && i < 6; i++) v /= 1024;
			return number(v) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][i];
		}
		return number(v, v < 10 ? 2 : 0);
	}
	function two(n) { return n < 10 ? '0' + n : n; }
	function clock(t) {
		var d = new Date(t * 1000);
		return d.getUTCFullYear() + '-' + two(d.getUTCMonth() + 1) + '-' + two(d.getUTCDate()) + ' ' + two(d.getUTCHours()) + ':' + two(d.getUTCMinutes())
			+ ':' + two(d.getUTCSeconds()) + (series.width < 1 ? (d.getUTCMilliseconds() / 1000).toFixed(2).slice(1) : '');
	}
	function color(key, property) { return getComputedStyle(key)[property || 'borderTopColor']; }
	function each(fn) { plots.forEach(fn); }
	function zoom(min, max) {
		if (busy) return;
		busy = true;
		min = Math.max(min, series.t[0]);
		max = Math.min(max, end);
		if (max - min < 2 * series.width) max = min + 2 * series.width;
		each(function (p) { p.setScale('x', { min: min, max: max }); });
		all.disabled = min <= series.t[0] && max >= end;
		busy = false;
	}
	function zoomBy(plot, factor) {
		var x = plot.scales.x, at = plot.cursor.idx === null || plot.cursor.idx === undefined ? (x.min + x.max) / 2 : plot.data[0][plot.cursor.idx];
		zoom(at - (at - x.min) * factor, at + (x.max - at) * factor);
	}
	function move(plot, by) {
		var i = plot.cursor.idx, x = plot.scales.x, n = series.t.length;
		if (i === null || i === undefined) i = by > 0 ? -1 : n;
		i = Math.min(n - 1, Math.max(0, i + by));
		if (series.t[i] < x.min || series.t[i] > x.max) zoom(x.min + by * series.width, x.max + by * series.width);
		plot.setCursor({ left: plot.valToPos(series.t[i], 'x'), top: 10 });
	}
	function keys(plot) {
		return function (event) {
			var done = true;
			if (event.ctrlKey || event.metaKey || event.altKey) return;
			if (event.key === 'ArrowLeft') move(plot, -1);
			else if (event.key === 'ArrowRight') move(plot, 1);
			else if (event.key === '+' || event.key === '=') zoomBy(plot, 0.5);
			else if (event.key === '-') zoomBy(plot, 2);
			else if (event.key === '0' || event.key === 'Escape') zoom(series.t[0], end);
			else done = false;
			if (done) event.preventDefault();
		};
	}
	function read(info, labels, readout) {
		return function (plot) {
			var i = plot.cursor.idx, words;
			if (i === null || i === undefined) { readout.textContent = ''; return; }
			i = Math.min(i, series.t.length - 1);
			words = labels.map(function (label, n) { return label + ' ' + shown(info.curves[n][i], info.unit); });
			readout.textContent = clock(series.t[i]) + ': ' + words.join(', ');
		};
	}
	function curves(info, figure) {
		var marks = figure.querySelectorAll('.legend i'), step = uPlot.paths.stepped({ align: 1 });
		return info.curves.map(function (curve, n) {
			var line = marks[n].classList.contains('line'), dash = marks[n].classList.contains('dash');
			return { stroke: color(marks[n]), width: 1.6, paths: step, points: { show: false }, dash: dash ? [5, 4] : undefined,
				fill: line ? undefined : color(marks[n]), spanGaps: false };
		});
	}
	/* Bytes are divided by powers of two. */
	function powers() {
		for (var all = [], v = 1; all.length < 60; v *= 2) all.push(v);
		return all;
	}
	function dates(u, ticks) {
		var step = ticks.length > 1 ? ticks[1] - ticks[0] : 0, months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' '), day = '';
		return ticks.map(function (t) {
			var d = new Date(t * 1000), date = d.getUTCDate() + ' ' + months[d.getUTCMonth()], first = date !== day;
			day = date;
			if (step >= 86400 * 200) return months[d.getUTCMonth()] + ' ' + d.getUTCFullYear();
			if (step >= 86400) return date;
			return two(d.getUTCHours()) + ':' + two(d.getUTCMinutes()) + (step < 60 ? ':' + two(d.getUTCSeconds()) : '') + (step < 1 ? (d.getUTCMilliseconds() / 1000).toFixed(2).slice(1) : '') + (first ? '\n' + date : '');
		});
	}
	function range(info) {
		return function (u, min, max) {
			var lo = 1, hi;
			if (info.full) return [0, 1];
			if (info.unit === 1) return [0, max > 0 ? Math.min(1, max * 1.08) : 0.04];
			if (info.unit !== 3) return [0, max > 0 ? max * 1.08 : 1];
			while (min !== null && lo * 10 <= min) lo *= 10;
			for (hi = lo * 10; hi < max;) hi *= 10;
			return [lo, hi];
		};
	}
	function axes(info, figure) {
		var text = color(figure.querySelector('.legend'), 'color'), grid = { stroke: color(figure, 'borderTopColor'), width: 1 };
		var font = '12px ' + getComputedStyle(document.body).fontFamily;
		var y = { stroke: text, grid: grid, ticks: { show: false }, font: font, size: 66,
			values: function (u, ticks) { return ticks.map(function (v) { return v === null ? '' : shown(v, info.unit); }); } };
		if (info.unit === 2) y.incrs = powers();
		if (info.unit === 3) {
			y.filter = function (u, ticks) { return ticks.map(function (v) { return Number.isInteger(Math.log10(v)) ? v : null; }); };
			y.grid = { stroke: grid.stroke, width: 1, filter: y.filter };
		}
		return [{ stroke: text, grid: grid, ticks: grid, font: font, space: 90, size: 46, values: dates }, y];
	}
	function make(figure) {
		var name = figure.getAttribute('data-plot'), info = series.plots[name], box = figure.querySelector('.zoom'), readout;
		var labels = Array.prototype.map.call(figure.querySelectorAll('.legend i'), function (mark) { return mark.parentNode.textContent; });
		if (!box) {
			box = document.createElement('div');
			box.className = 'zoom';
			box.tabIndex = 0;
			box.setAttribute('role', 'group');
			box.setAttribute('aria-label', figure.querySelector('b').textContent + ' over time: arrow keys read values, plus and minus zoom, 0 shows all');
			readout = document.createElement('p');
			readout.className = 'readout';
			readout.setAttribute('aria-live', 'polite');
			figure.appendChild(box);
			figure.appendChild(readout);
			figure.classList.add('zoomable');
		}
		readout = figure.querySelector('.readout');
		box.textContent = '';
		var plot = new uPlot({
			width: box.clientWidth, height: 220, tzDate: function (ts) { return uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'); },
			legend: { show: false }, padding: [8, 24, 0, 0],
			scales: { x: { time: true, min: series.t[0], max: end }, y: { range: range(info), distr: info.unit === 3 ? 3 : 1 } },
			cursor: { y: false, sync: { key: 'logaudit' }, drag: { x: true, y: false, setScale: false } },
			series: [{}].concat(curves(info, figure)), axes: axes(info, figure),
			hooks: { setCursor: [read(info, labels, readout)], setSelect: [function (u) {
				if (u.select.width > 4) zoom(u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x'));
				u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
			}] }
		}, [times].concat(info.curves), box);
		box.onkeydown = keys(plot);
		plot.over.ondblclick = function () { zoom(series.t[0], end); };
		return plot;
	}
	function draw() {
		each(function (p) { p.destroy(); });
		plots = figures.map(make);
		all.disabled = true;
	}
	tools = document.createElement('div');
	tools.className = 'tools';
	all = document.createElement('button');
	all.type = 'button';
	all.textContent = 'Show all';
	all.addEventListener('click', function () { zoom(series.t[0], end); });
	tools.appendChild(all);
	tools.appendChild(document.createTextNode('Drag over a plot to zoom; on the keyboard arrow keys read values, + and - zoom.'));
	figures[0].parentNode.parentNode.insertBefore(tools, figures[0].parentNode);
	draw();
	new ResizeObserver(function () {
		plots.forEach(function (p) {
			var box = p.root.parentNode;
			if (box.clientWidth && box.clientWidth !== p.width) p.setSize({ width: box.clientWidth, height: 220 });
		});
	}).observe(document.querySelector('.plots'));
})();
